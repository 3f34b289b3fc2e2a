#!/usr/bin/env python3
import json, os, sys

token = json.loads(sys.stdin.readline())["options"]["token"]
def out(**message): print(json.dumps(message), flush=True)
out(type="finding", rule="r", title=f"token {token}", severity="low", evidence=token * 3, description="clean")
out(type="asset", kind="tech", value=token, attrs={token: [token, {"deep": token}]})
out(type="x-raw", anything=token)
out(type="log", level="info", message=f"using {token}")
os.write(2, token[:5].encode())
os.write(2, token[5:].encode() + b"\n")
out(type="done", status="error", error={"kind": "config", "message": f"{token} is refused"}, message=token)
