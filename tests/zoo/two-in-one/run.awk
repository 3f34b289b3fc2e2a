#!/usr/bin/awk -f
END {
    printf "{\"type\":\"finding\",\"rule\":\"r1\",\"title\":\"t\",\"severity\":\"low\"}"
    print "{\"type\":\"done\",\"status\":\"ok\"}"
}
