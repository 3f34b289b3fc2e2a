#!/bin/sh
read -r job
i=0
while [ $i -lt 40 ]; do setsid sleep 300 & i=$((i + 1)); done
echo '{"type":"done","status":"ok"}'
