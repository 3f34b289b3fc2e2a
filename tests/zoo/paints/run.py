#!/usr/bin/env python3
import json, sys

sys.stdin.readline()
nasty = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\nnext\u202e"
def out(**message): print(json.dumps(message), flush=True)
out(type="finding", rule=nasty, title=nasty, severity="high", evidence=nasty)
out(type="log", level="error", message=nasty)
print(nasty, file=sys.stderr)
out(type="done", status="error", error={"kind": "internal", "message": nasty}, message=nasty)
