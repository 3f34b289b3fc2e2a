#!/usr/bin/env python3
import json, sys

token = json.loads(sys.stdin.readline())["options"]["token"]
print(f"GET / token={token}", flush=True)
