#!/usr/bin/awk -f
BEGIN { ORS = "" }
END { print "{\"type\":\"finding\",\"rule\":\"r1\",\"title\":\"t\",\"severity\":\"low\"}" }
