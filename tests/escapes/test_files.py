"""Attacks 21 to 35: what is the user's stays the user's."""

from __future__ import annotations

from arena import SECRET, Arena


def test_21_reads_a_private_key(arena: Arena):
    key = arena.plant(".ssh/id_ed25519")
    said = arena.run("key = attempt('read', lambda: open(ARGS[0]).read()); print(key)", key)
    arena.judge(said, escaped=SECRET in said.out, errnos={"EACCES", "ENOENT"})
