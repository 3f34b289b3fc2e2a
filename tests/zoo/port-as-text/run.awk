#!/usr/bin/awk -f
END { print "{\"type\":\"finding\",\"rule\":\"r\",\"title\":\"t\",\"severity\":\"low\",\"location\":{\"port\":\"443\"}}" }
