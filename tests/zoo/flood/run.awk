#!/usr/bin/awk -f
END { for (i = 0; i < 150000; i++) print "{\"type\":\"asset\",\"kind\":\"tech\",\"value\":\"" i "\"}" }
