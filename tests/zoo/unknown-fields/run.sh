#!/bin/sh
read -r job
echo '{"type":"finding","rule":"r1","title":"t","severity":"low","severitty":"high","x_own":[1,2]}'
echo '{"type":"finding","rule":"r2","title":"t","severity":"low","x_own":true}'
echo '{"type":"done","status":"ok"}'
