import sys

sys.stdin.read()
print('{"type":"done","status":"ok"}')
