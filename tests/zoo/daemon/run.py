#!/usr/bin/env python3
import os, signal, sys

sys.stdin.readline()
ready, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(tell, b"!")
        signal.pause()
    os._exit(0)
os.read(ready, 1)  # the daemon is there before we go
print('{"type":"done","status":"ok"}', flush=True)
os._exit(0)
