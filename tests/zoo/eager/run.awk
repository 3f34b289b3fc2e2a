#!/usr/bin/awk -f
END {
    for (i = 0; i < 20000; i++) print "{\"type\":\"asset\",\"kind\":\"tech\",\"value\":\"" i "\"}"
    print "{\"type\":\"done\",\"status\":\"ok\"}"
}
