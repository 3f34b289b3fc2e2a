#!/usr/bin/awk -f
END { print "{\"status\":\"ok\"}" }
