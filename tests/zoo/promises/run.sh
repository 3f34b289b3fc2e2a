#!/bin/sh
read -r job
echo '{"type":"artifact","path":"../../secret"}'
echo '{"type":"done","status":"ok"}'
