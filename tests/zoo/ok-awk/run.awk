#!/usr/bin/awk -f
/"type":"job"/ { print "{\"type\":\"asset\",\"kind\":\"tech\",\"value\":\"awk\"}" }
END { print "{\"type\":\"done\",\"status\":\"ok\"}" }
