#!/bin/sh
# run_pixel_abdom.sh IN OUT
exec "$(dirname -- "$0")/run.sh" pixel abdom "$@"
