"""What stands between kastrun and its plugins: one launcher, and a warden for each worker.

Floor 3. Runs in processes of its own, started clean, small and single-threaded; so nothing
here may import trio or anything that is slow to load, and nothing here knows a Job, JSON,
the protocol or the terminal. kastrun's side of it is `process`.
"""
