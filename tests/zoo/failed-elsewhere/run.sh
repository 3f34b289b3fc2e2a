#!/bin/sh
read -r job
echo '{"type":"done","status":"partial","failed_targets":["127.0.0.9"]}'
