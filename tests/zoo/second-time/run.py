#!/usr/bin/env python3
import json, os, signal, sys

flag = json.loads(sys.stdin.readline())["options"]["flag"]
print('{"type":"finding","rule":"r","title":"t","severity":"low"}', flush=True)
if not os.path.exists(flag):
    signal.pause()
print('{"type":"done","status":"ok"}')
