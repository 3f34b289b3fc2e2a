"""Holding a job to what it was allowed: namespaces, Landlock, limits, capabilities.

Floor 3. `orders` is what was decided, `confine` carries it out in the child before its
program begins. Both run in a warden's child: standard library and ctypes only, no thread,
no trio, nothing that is slow to load. Who may do what is decided elsewhere (`policy`).
"""
