#!/usr/bin/awk -f
END { print "{\"type\":\"log\",\"level\":\"info\",\"message\":\"a\tb\"}" }
