#!/bin/sh
# run.sh LEVEL REGION IN OUT: what the four scripts of the MOOD contract share. LEVEL is pixel or sample, REGION brain
# or abdom. Detectors lie in detectors/REGION/* beside this script: one, or one per plane, whose maps are averaged.
#
# The root file system is read-only and there is no network: everything that a library wants to write while it runs goes
# to OUT, and is removed afterwards.
set -eu

if [ "$#" -ne 4 ] || [ ! -d "$3" ] || [ ! -d "$4" ]; then
    echo "error: expected two folders, IN and OUT" >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
stray=$(mktemp -d "$4/.stray.XXXXXX")
trap 'rm -rf "$stray"' EXIT
trap 'exit 143' TERM INT

export HOME="$stray" TMPDIR="$stray" XDG_CACHE_HOME="$stray" MPLCONFIGDIR="$stray"
export TORCH_HOME="$stray" TORCHINDUCTOR_CACHE_DIR="$stray" TRITON_CACHE_DIR="$stray" CUDA_CACHE_PATH="$stray"
export PYTHONDONTWRITEBYTECODE=1

# 3 says that some cases could not be read. They have no answer; that must not cost the others theirs.
"${PYTHON:-python3}" -m core.mood "$1" "$3" "$4" "${DETECTORS:-$here/detectors}/$2"/* || {
    status=$?
    [ "$status" -eq 3 ] || exit "$status"
}
