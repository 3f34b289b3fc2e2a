#!/bin/bash
read -r job
mkdir artifacts/all && echo x > artifacts/all/one
echo '{"type":"artifact","path":"all"}'
echo '{"type":"done","status":"ok"}'
