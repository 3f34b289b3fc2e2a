#!/usr/bin/env python3
import os, signal, sys

sys.stdin.readline()
ready, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.set_inheritable(tell, True)
        code = f"import os, signal; os.write({tell}, b'!'); signal.pause()"
        os.execve(sys.executable, ["python3", "-I", "-S", "-c", code, __file__], {})
    os._exit(0)
os.read(ready, 1)
print('{"type":"done","status":"ok"}', flush=True)
os._exit(0)
