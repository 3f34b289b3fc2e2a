#!/usr/bin/env python3
import os, signal, sys

sys.stdin.readline()
print('{"type":"done","status":"ok"}', flush=True)
os.close(1)
os.close(2)
signal.pause()
