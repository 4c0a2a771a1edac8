#!/bin/sh
# run_sample_abdom.sh IN OUT
exec "$(dirname -- "$0")/run.sh" sample abdom "$@"
