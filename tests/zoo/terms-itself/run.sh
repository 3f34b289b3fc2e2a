#!/bin/bash
read -r job
echo '{"type":"finding","rule":"r1","title":"t","severity":"low"}'
kill -TERM $$
