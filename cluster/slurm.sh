#!/usr/bin/env bash
# A study as a Slurm job. Submit from the top of the project; what follows the script goes to `python -m study.search`:
#
#   sbatch --nodes=4 --time=12:00:00 cluster/slurm.sh --space everything --train /shared/train.arrow --runs /shared/runs
#
# Each line below can be overruled on the command line of sbatch.
#
# A node of its own, because Ray's command takes any Ray that it sees on the node for its own and stops it at the end.
# Five minutes before the time is over, USR1 comes to this script alone: it stops the study and queues the job again.
#SBATCH --job-name=study
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?submit this with sbatch, from the top of the project}"
export PATH="$PWD/.venv/bin:$PATH"

# Ray's command calls this script again, on the head. It exits with 0 when Ray could not start, so how the study ended
# is written down; and it does not pass signals on, so the study's process number is written down too.
if [ "${1:-}" = on-head ]; then
    notes=$2 address=$3
    shift 3
    RAY_ADDRESS=$address python -m study.search "$@" &
    echo $! >"$notes/process"
    status=0
    wait $! || status=$?
    echo "$status" >"$notes/status"
    exit "$status"
fi

# From a shell with a Ray of its own, sbatch would carry that one's address and token along.
unset RAY_ADDRESS RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# Ray's 30 s are short for nodes that load Python from a shared file system.
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300
# A folder of this job: /tmp/ray may belong to somebody else. Short, because paths of sockets may have 107 characters.
export RAY_TMPDIR="/tmp/$SLURM_JOB_ID"

# All nodes read the token from the home folder, which they share. Ray would write it readable for everybody.
(umask 077 && ray get-auth-token --generate >/dev/null)
chmod 700 "$HOME/.ray"
chmod 600 "$HOME/.ray/auth_token"

address="${HEAD_IP:-$(hostname -I | cut -d ' ' -f 1)}:${RAY_PORT:-6379}"
gpus=${SLURM_GPUS_PER_NODE:-${SLURM_GPUS_ON_NODE:-0}} # may be "a100:4"
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT

stopping='' requeue=''
# shellcheck disable=SC2329  # the traps below call it
stop() {
    # Once: the second signal ends a study without waiting for its checkpoints.
    if [ -z "$stopping" ]; then
        stopping=yes
        if [ -s "$notes/process" ]; then
            kill -TERM "$(cat "$notes/process")" || true
        else
            kill -TERM "$step" || true
        fi
    fi
}

srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
    --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${gpus##*:}" --dashboard-host=127.0.0.1 \
    -- bash "$PWD/cluster/slurm.sh" on-head "$notes" "$address" "$@" &
step=$!
trap 'requeue=yes; stop' USR1
trap stop TERM
# A signal interrupts wait, although the step still runs.
while kill -0 "$step" 2>/dev/null; do
    wait "$step" || true
done
trap '' USR1 TERM

status=$(cat "$notes/status" 2>/dev/null || echo 1)
# 0: the study is done. 2: a mistake, which another start would only repeat.
if [ -n "$requeue" ] && [ "$status" != 0 ] && [ "$status" != 2 ]; then
    echo "the time is over; queued again, and the study goes on from here"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
