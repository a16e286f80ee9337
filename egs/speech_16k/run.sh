#!/usr/bin/env bash
# The shipped model from data to card: trains, exports, evaluates, draws the curves, writes the model card.
#
#     egs/speech_16k/run.sh SPEECH
#
# SPEECH holds train.jsonl, valid.jsonl (recipes/prepare_data.py makes them) and the folders train and valid. On one core
# of the machine named in results/table.md 1000 steps take about six minutes. Started again, it goes on where it stopped.
set -euo pipefail
cd "$(dirname "$0")/../.."
speech=$1 here=egs/speech_16k out=out/speech_16k model=audiocodec/pretrained/speech-16k
python=.venv/bin/python PATH=$PWD/.venv/bin:$PATH codes=$out/codes data=(data.train="$speech/train.jsonl" data.valid="$speech/valid.jsonl")
first=runs/speech_16k second=runs/speech_16k_stage2 third=runs/speech_16k_stage3 fourth=runs/speech_16k_stage4

$python recipes/train.py --config conf/speech_16k.yaml "${data[@]}" run.dir=$first --resume auto
$python recipes/train.py --config conf/speech_16k_stage2.yaml "${data[@]}" run.init_from=$first/model run.dir=$second --resume auto
$python recipes/train.py --config conf/speech_16k_stage3.yaml "${data[@]}" run.init_from=$second/model run.dir=$third --resume auto
$python recipes/train.py --config conf/speech_16k_stage4.yaml "${data[@]}" run.init_from=$third/model run.dir=$fourth --resume auto
$python recipes/train.py export --half --beam 4 --blend $third/model 0.5 $fourth/checkpoints/step-00005400 $model
rm -f $model/entropy.tables # trained on files written without tables
audiocodec compress "$speech/train" -o $codes/train
audiocodec compress "$speech/valid" -o $codes/valid
$python recipes/train_tables.py $codes/train $codes/valid --out $codes/entropy.tables | tee $here/results/entropy.txt
cp $codes/entropy.tables $model
$here/evaluate.sh "$speech/valid.jsonl" $out
$python recipes/plot_run.py $first $here/results/first_half
$python recipes/plot_run.py $second $here/results/second_half
$python recipes/plot_run.py $third $here/results/decoder
$python recipes/plot_run.py $fourth $here/results/discriminators
$python $here/make_card.py $model --manifest "$speech/train.jsonl" --evaluation $out \
    --histories $here/results/{first_half,second_half,decoder,discriminators}/training.json
