#!/bin/sh
# PESQ and STOI over packet loss, ours beside Opus, and ways to conceal compared: results/. About 10 minutes on two cores.
#
#     egs/packet_loss/run.sh VALID.jsonl             goes on where it stopped; what is known of Opus is kept in out/packet_loss
#     AUDIOCODEC_LIBOPUS=/path/libopus.so.0 ...      a libopus 1.5 or later adds the curve of its neural concealment
set -e
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1 PYTHONPATH=.
exec "${PYTHON:-.venv/bin/python}" egs/packet_loss/measure.py "$@"
