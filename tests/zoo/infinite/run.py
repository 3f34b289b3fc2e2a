#!/usr/bin/env python3
import json, sys

sys.stdin.readline()
print(json.dumps({"type": "asset", "kind": "tech", "value": "v", "attrs": {"ratio": float("-inf")}}), flush=True)
