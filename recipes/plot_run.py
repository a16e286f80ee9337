"""Turn a run's metrics.jsonl into training.png and training.json (a few hundred points of every curve).

python recipes/plot_run.py runs/speech_16k egs/speech_16k/results
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also runs from a checkout that is not installed

from audiocodec.errors import CodecError
from audiocodec.training.curves import write


def main() -> int:
    """Exit code 0 done, 1 nothing to draw."""
    parser = argparse.ArgumentParser(description="Draw the curves of a training run.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("out", type=Path, help="folder for training.png and training.json")
    parser.add_argument("--points", type=int, default=300, help="of every curve")
    parser.add_argument("--title", default="")
    options = parser.parse_args()
    try:
        print(*write(options.run, options.out, options.points, options.title), sep="\n")
    except CodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
