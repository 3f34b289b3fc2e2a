#!/usr/bin/env python3
import json, os, sys

environment, here, files = dict(os.environ), os.getcwd(), sorted(os.listdir("."))
line = sys.stdin.readline()
job = json.loads(line)
rest = sys.stdin.read()
given = {
    "environment": environment, "cwd": here, "files": files, "rest": rest, "job": job,
    "inputs": open(job["inputs"]).read(), "artifacts": os.listdir(job["artifacts"]),
    "session": os.getsid(0) == os.getpid(), "tty": os.isatty(0) or os.isatty(1) or os.isatty(2),
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
}
print(json.dumps({"type": "x-given", "given": given}))
print(json.dumps({"type": "done", "status": "ok"}))
