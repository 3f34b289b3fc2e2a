#!/usr/bin/env python3
import sys

sys.stdin.readline()
sys.stdout.buffer.write('{"type":"done","status":"ok"}\n'.encode("utf-16-le"))
