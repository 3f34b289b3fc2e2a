#!/bin/sh
read -r job
echo '{"type":"finding","rule":"r","title":"t","severity":"low"}'
ln -s /etc/passwd artifacts/passwd
echo '{"type":"done","status":"ok"}'
