#!/bin/sh
read -r job
echo '{"type":"done","status":"error","error":{"kind":"config","message":"a config fault"}}'
exit 1
