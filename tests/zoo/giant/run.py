#!/usr/bin/env python3
import sys

sys.stdin.readline()
with open("artifacts/giant", "wb") as file:
    file.truncate((64 << 20) + 1)
print('{"type":"done","status":"ok"}')
