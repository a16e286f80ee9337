"""Score codecs on a set of recordings, as `audiocodec evaluate` does; the same options.

python recipes/evaluate.py --data DIR --codec speech-16k --bitrate 1.5,3,6 --peers opus,amrwb --out runs/evaluation
"""

import sys

import typer

from audiocodec.cli.evaluate import evaluate
from audiocodec.errors import CodecError

if __name__ == "__main__":  # worker processes import this file too
    try:
        typer.run(evaluate)
    except CodecError as error:
        sys.exit(f"error: {error}")
