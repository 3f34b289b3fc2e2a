#!/usr/bin/env python3
import os, signal, sys

sys.stdin.readline()
print('{"type":"finding","rule":"r1","title":"t","severity":"low"}', flush=True)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        os.write(1, b"junk\n" * 500)
        os.write(2, b"noise\n" * 500)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pause()
