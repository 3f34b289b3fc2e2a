#!/bin/sh
read -r job
echo '{"type":"finding","rule":"r","title":"t","severity":"low"}'
kill -STOP $$
echo '{"type":"done","status":"ok"}'
