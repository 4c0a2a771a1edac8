#!/bin/sh
# run_pixel_brain.sh IN OUT
exec "$(dirname -- "$0")/run.sh" pixel brain "$@"
