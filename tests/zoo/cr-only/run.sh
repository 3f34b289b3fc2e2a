#!/bin/sh
read -r job
printf '{"type":"finding","rule":"r1","title":"t","severity":"low"}\r{"type":"done","status":"ok"}\r'
