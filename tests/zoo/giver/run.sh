#!/bin/sh
read -r job
mkdir artifacts/deep
printf 'hello' > artifacts/deep/announced.txt
printf '' > artifacts/empty.bin
echo '{"type":"artifact","path":"deep/announced.txt","media_type":"text/plain","title":"A greeting"}'
echo '{"type":"done","status":"ok"}'
