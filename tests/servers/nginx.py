"""A real nginx on loopback: a master and a worker, in a folder of their own, on ports that the kernel chose.

It inherits its listening sockets, as at a binary upgrade (variable NGINX): no port is free for a
moment between choosing and use, and whoever connects early waits in the queue. (With
`master_process off` nginx 1.22 crashes on a socket that it inherited.)
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import programs

CONFIG = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log notice;
events {{}}
http {{
  access_log off; server_tokens off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {servers}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, servers: Callable[..., str], ports: int = 1) -> Iterator[list[int]]:
    """Runs nginx with what `servers(port, …)` writes into its http block; gives the ports."""
    program = programs.find("nginx")
    assert program is not None
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(ports)]
        numbers = [listener.getsockname()[1] for listener in listeners]
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, servers=servers(*numbers)), encoding="utf-8")
        handed = [listener.fileno() for listener in listeners]
        child = subprocess.Popen(
            [program, "-p", folder, "-c", config, "-e", folder / "error.log"],
            env={"NGINX": "".join(f"{number};" for number in handed)},
            pass_fds=handed,
            stdin=subprocess.DEVNULL,
        )
        try:
            _until_its_worker_runs(child, folder / "error.log")
            yield numbers
            assert child.poll() is None, (folder / "error.log").read_text(encoding="utf-8")
        finally:
            child.terminate()
            child.wait(20)
            shutil.rmtree(folder, ignore_errors=True)


def _until_its_worker_runs(child: subprocess.Popen[bytes], log: Path) -> None:
    """So that the worker belongs to whoever started nginx, and not to the first test that asks it."""
    until = time.monotonic() + 20
    while not log.is_file() or "start worker process " not in log.read_text(encoding="utf-8"):
        assert child.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
        time.sleep(0.005)
