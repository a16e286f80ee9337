#!/bin/bash
# Train on several machines under Slurm; started again (by --requeue or by hand) it goes on where it stopped.
#
#     RUN=/shared/runs/dac_24k sbatch --nodes=4 egs/distributed/slurm.sh conf/dac_24k.yaml data.train=/shared/train.jsonl
#     RUN=... DEVICE=cpu sbatch --nodes=2 egs/distributed/slurm.sh conf/smoke.yaml        without GPUs, to try it out
#
# RUN, the configuration and the recordings must be visible on all machines; data.cache may be a local folder of each.
# Two minutes before the time is up Slurm tells this script: all processes finish the same optimizer step, one saves, and
# the job goes back into the queue. A run that ends with an error is not repeated.
#SBATCH --job-name=audiocodec
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail
config=$1 && shift
python=${PYTHON:-.venv/bin/python}
per_node=${PROCESSES_PER_NODE:-${SLURM_GPUS_ON_NODE:-1}} # one process a GPU
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

stopped=
stop() { # Slurm says that time is nearly up: pass it on to every process of the step, and come back later
    stopped=yes
    echo "time is nearly up: asking the run to save"
    scancel --signal=USR1 "$SLURM_JOB_ID.0"
}
trap stop USR1 TERM

# Every machine runs torchrun, which starts its processes; they meet at the first machine. The port depends on the job,
# so that two jobs on one machine do not meet each other. The wish to stop is SIGUSR1, which torchrun is told to ignore:
# 30 seconds after a SIGTERM it would kill its processes, whether they have saved or not.
srun --kill-on-bad-exit=1 bash -c 'trap "" USR1; exec "$@"' torchrun "$python" -m torch.distributed.run \
    --nnodes="$SLURM_NNODES" --nproc_per_node="$per_node" \
    --rdzv_id="$SLURM_JOB_ID" --rdzv_backend=c10d --rdzv_endpoint="$head:$((20000 + SLURM_JOB_ID % 20000))" \
    recipes/train.py --config "$config" run.dir="$RUN" run.device="${DEVICE:-auto}" --resume auto "$@" &
wait $! # a trap interrupts `wait`, not a command in the foreground
code=$?
[ -n "$stopped" ] && wait # until the step has saved and ended

if [ -n "$stopped" ] && [ ! -e "$RUN/model/config.json" ]; then
    echo "stopped by the clock; back into the queue"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
