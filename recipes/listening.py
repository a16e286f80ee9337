"""Put the answers of a listening test together (`audiocodec evaluate --listen N` makes its page and its key).

python recipes/listening.py runs/evaluation/listen_key.json listening_anna.json listening_ben.json
"""

import argparse
import sys
from pathlib import Path

from audiocodec.errors import CodecError
from audiocodec.evaluation.listening import analyse


def main() -> int:
    """Print a table of mean ratings with 95 % intervals, and who was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("key", type=Path, help="listen_key.json, beside the page")
    parser.add_argument("answers", type=Path, nargs="+", help="files saved by listeners")
    options = parser.parse_args()
    try:
        opinions, left_out = analyse(options.key, options.answers)
    except CodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("| system | rating, 0 to 100 | ratings |\n| --- | ---: | ---: |")
    for o in opinions:
        print(f"| {o.system} | {o.mean:.1f} ({o.low:.1f} to {o.high:.1f}) | {o.n_ratings} |")
    for listener, reason in left_out.items():
        print(f"left out: {listener}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
