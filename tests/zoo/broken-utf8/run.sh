#!/bin/sh
read -r job
printf '{"type":"finding","rule":"bytes","title":"a\377b","severity":"info"}\n'
printf '%s\n' '{"type":"finding","rule":"surrogate","title":"a\ud800b","severity":"info"}'
printf '%s\n' '{"type":"finding","rule":"nul","title":"a\u0000b","severity":"info"}'
echo '{"type":"done","status":"ok"}'
