#!/usr/bin/env python3
import sys

sys.stdin.readline()
for number in range(5):
    with open(f"artifacts/{number}", "wb") as file:
        file.truncate(64 << 20)
print('{"type":"done","status":"ok"}')
