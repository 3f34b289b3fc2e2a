#!/bin/bash
read -r job
printf '%s\n' '{"type":"finding","rule":"a","\u0072ule":"b","title":"t","severity":"low"}'
