#!/bin/sh
# The figures in results/: the shipped model and its peers on a validation set.
#
#   egs/speech_16k/evaluate.sh valid.jsonl out [model]
#
# Peers that are not on the machine are named and left out, but for those whose scores on the same files stand in
# results/peers.jsonl already. Lyra's weights: AUDIOCODEC_LYRA; a libopus with neural post-filters: AUDIOCODEC_LIBOPUS.
set -eu
data=$1 out=$2 model=${3:-speech-16k}
here=$(dirname "$0")
earlier=""
if [ -f "$here/results/peers.jsonl" ]; then earlier="--with $here/results/peers.jsonl"; fi

# shellcheck disable=SC2086  # two words or none
audiocodec evaluate --data "$data" --codec "$model" --bitrate 1.5,2,3.5,4,6,7,8 \
    --peers opus_6k,opus_9k,opus_12k,opus_16k,opus_nolace,amrwb_6.6k,amrwb_8.85k,amrwb_12.65k,speex_q1,speex_q2,codec2_3.2k,lyra,lc3_16k,pcm \
    --out "$out" $earlier
cp "$out/table.md" "$here/results/table.md"
cp "$out/table.csv" "$here/results/table.csv"
cp -r "$out/plots" "$here/results/"
