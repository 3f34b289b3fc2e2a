#!/bin/sh
read -r job
(while :; do echo more; sleep 0.02; done) > artifacts/growing.txt &
while [ ! -s artifacts/growing.txt ]; do sleep 0.02; done
echo '{"type":"artifact","path":"growing.txt"}'
echo '{"type":"done","status":"ok"}'
