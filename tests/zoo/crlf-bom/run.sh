#!/bin/sh
read -r job
printf '\357\273\277{"type":"finding","rule":"r1","title":"t","severity":"low"}\r\n'
printf '\n  \t\r\n\r\n'
printf '{"type":"finding","rule":"r2","title":"t","severity":"low"}\r\n'
printf '{"type":"done","status":"ok"}\r\n\n'
