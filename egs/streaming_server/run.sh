#!/usr/bin/env bash
# All figures and the picture of this folder: a minute each at three loads, ten minutes of calls that come and go, the page.
#
#     egs/streaming_server/run.sh [SECONDS [LONG_SECONDS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python here=egs/streaming_server seconds=${1:-60} long=${2:-600}
export OMP_NUM_THREADS=1
for voices in 5 20 50; do
    $python $here/load_test.py --voices "$voices" --seconds "$seconds"
    $python $here/load_test.py --voices "$voices" --seconds "$seconds" --server="--beam 1"
done
$python $here/load_test.py --voices 10 --seconds "$long" --churn 5
$python $here/browser_test.py
