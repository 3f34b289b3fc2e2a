#!/bin/sh
read -r job
echo '{"type":"finding","rule":"r1","title":"t","severity":"low"}'
echo 'Starting scan of example'
echo '{"type":"finding","rule":"r2","title":"t","severity":"low"}'
echo '{"type":"done","status":"ok"}'
