#!/usr/bin/env bash
# The shipped model from data to card: trains, exports, evaluates, draws the curves, writes the model card.
#
#     egs/speech_16k/run.sh SPEECH [MAX_STEPS]
#
# SPEECH holds train.jsonl, valid.jsonl (recipes/prepare_data.py makes them) and the folders train and valid. On one core of the machine
# named in results/table.md 1000 steps take about six minutes. Started again, it goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/../.."
speech=$1 steps=${2:-14000} run=runs/speech_16k out=out/speech_16k
python=.venv/bin/python PATH=$PWD/.venv/bin:$PATH codes=$out/codes

$python recipes/train.py --config conf/speech_16k.yaml data.train="$speech/train.jsonl" data.valid="$speech/valid.jsonl" \
    run.dir=$run run.max_steps="$steps" --resume auto
model=audiocodec/pretrained/speech-16k
$python recipes/train.py export --half $run $model
rm -f $model/entropy.tables # trained on files written without tables
audiocodec compress "$speech/train" -o $codes/train
audiocodec compress "$speech/valid" -o $codes/valid
$python recipes/train_tables.py $codes/train $codes/valid --out $codes/entropy.tables | tee egs/speech_16k/results/entropy.txt
cp $codes/entropy.tables $model
egs/speech_16k/evaluate.sh "$speech/valid.jsonl" $out
$python recipes/plot_run.py $run egs/speech_16k/results
$python egs/speech_16k/make_card.py $model --run $run --manifest "$speech/train.jsonl" --evaluation $out
