#!/bin/sh
read -r job
echo '{"type":"finding","rule":"r","title":"t","severity":"low"}'
echo 'going to sleep' >&2
exec sleep 300
