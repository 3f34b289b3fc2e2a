#!/bin/sh
read -r job
mkfifo artifacts/pipe
echo '{"type":"done","status":"ok"}'
