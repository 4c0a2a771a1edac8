#!/bin/sh
# run_sample_brain.sh IN OUT
exec "$(dirname -- "$0")/run.sh" sample brain "$@"
