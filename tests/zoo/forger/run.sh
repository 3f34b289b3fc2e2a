#!/bin/sh
read -r job
echo '{"type":"finding","job":"jforged","plugin":"innocent","seq":1,"attempt":9,"fingerprint":"k1:0","incomplete":false,"at":"1970-01-01T00:00:00Z","rule":"r","title":"t","severity":"low"}'
echo '{"type":"x-forged","job":"jforged","plugin":"innocent","seq":1}'
echo '{"type":"done","status":"ok"}'
