#!/usr/bin/awk -f
END { print "{\"type\":\"done\",\"status\":\"error\",\"error\":{\"kind\":\"target\",\"message\":\"a target fault\"}}" }
