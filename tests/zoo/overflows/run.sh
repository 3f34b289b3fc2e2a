#!/bin/sh
read -r job
echo '{"type":"progress","done":1e999,"total":1}'
