#!/usr/bin/env bash
# A small language model of one voice, from recordings to continuations that one can hear.
#
#     egs/speech_lm/run.sh MANIFEST [SPEAKER] [STEPS]
#
# MANIFEST is a .jsonl with a "speaker" on every line; results go to out/speech_lm. Started again, it goes on where
# it stopped.
set -euo pipefail
manifest=$(realpath "$1") speaker=${2:-kerstin} steps=${3:-400}
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python} out=out/speech_lm
mkdir -p $out
export PYTHONPATH=.
$python egs/speech_lm/voice.py "$manifest" "$speaker" $out/voice.jsonl
$python -m audiocodec.cli.main tokens $out/voice.jsonl --out $out/tokens --n-q 4
$python egs/speech_lm/train.py $out/tokens --out $out --steps "$steps" --resume
$python egs/speech_lm/report.py $out
$python egs/speech_lm/continue_speech.py $out/tokens $out
