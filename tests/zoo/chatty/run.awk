#!/usr/bin/awk -f
END {
    for (i = 1; i <= 500; i++) print "{\"type\":\"log\",\"level\":\"info\",\"message\":\"line " i "\"}"
    print "{\"type\":\"done\",\"status\":\"ok\"}"
}
