#!/usr/bin/env python3
import json, sys

sys.stdin.readline()
print(json.dumps({"type": "done", "status": "ok"}, indent=2), flush=True)
