#!/bin/sh
read -r job
echo '{"type":"x-timing","rtt":[1.5,2],"target":"127.0.0.1"}'
echo '{"type":"done","status":"ok"}'
