#!/usr/bin/env bash
# Ray on machines of your own. Words after these go to `ray start`, such as --num-gpus=2.
#
#   cluster/onprem.sh head              this machine alone, on loopback
#   cluster/onprem.sh head HEAD_IP      this machine, which others join at this address
#   cluster/onprem.sh worker HEAD_IP    join that head
#   cluster/onprem.sh stop              stop Ray on this machine, with all that runs on it
set -euo pipefail

fail() {
    echo "error: $1" >&2
    exit 2
}

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Jobs inherit this path, so that `python` in `ray job submit ... -- python` is the project's.
PATH="$top/.venv/bin:$PATH"
export PATH RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# Ray kills a stopped job after 3 s, too soon for a study to end cleanly.
export RAY_JOB_STOP_WAIT_TIME_S=60
unset RAY_ADDRESS
command -v ray >/dev/null || fail "no ray in $top/.venv or on the path; run make install in $top"

# Ray writes the token readable for everybody on the machine.
protect_token() {
    if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
        chmod 700 "$HOME/.ray"
        chmod 600 "$HOME/.ray/auth_token"
    fi
}

verb=${1:-}
shift || true
case $verb in
head)
    (umask 077 && ray get-auth-token --generate >/dev/null)
    protect_token
    case ${1:-} in
    "" | -*)
        # The only switch that keeps Ray on loopback; an address alone does not.
        export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
        address=127.0.0.1
        ;;
    *)
        address=$1
        shift
        ;;
    esac
    ray start --head --node-ip-address="$address" --port=6379 --dashboard-host=127.0.0.1 "$@"
    ;;
worker)
    case ${1:-} in
    "" | -*) fail "worker needs the head's address: cluster/onprem.sh worker HEAD_IP" ;;
    esac
    if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] && [ ! -s "$HOME/.ray/auth_token" ]; then
        fail "$HOME/.ray/auth_token is missing; copy it from the head"
    fi
    protect_token
    ray start --address="$1:6379" --dashboard-host=127.0.0.1 "${@:2}"
    ;;
stop)
    ray stop "$@"
    ;;
*)
    fail "expected head, head HEAD_IP, worker HEAD_IP or stop"
    ;;
esac
