#!/bin/sh
echo '{"type":"done","status":"ok"}'
