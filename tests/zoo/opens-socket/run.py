#!/usr/bin/env python3
import os, socket, sys

sys.stdin.readline()
os.chdir("artifacts")
socket.socket(socket.AF_UNIX).bind("door")
print('{"type":"done","status":"ok"}')
