#!/usr/bin/awk -f
END {
    print "{\"type\":\"finding\",\"rule\":\"r1\",\"title\":\"t\",\"severity\":\"low\"}" > "/dev/stderr"
    print "{\"type\":\"done\",\"status\":\"ok\"}" > "/dev/stderr"
}
