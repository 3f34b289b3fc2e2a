#!/usr/bin/env python3
import os, signal, sys

sys.stdin.readline()
print('{"type":"finding","rule":"r","title":"t","severity":"low"}', flush=True)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        os.write(2, b"grandchild\n" * 500)
while True:
    os.write(2, b"x" * 65536)
