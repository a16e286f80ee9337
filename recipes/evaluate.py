"""Score codecs on a set of recordings, as `audiocodec evaluate` does; the same options.

python recipes/evaluate.py --data DIR --codec speech-16k --bitrate 1.5,3,6 --peers opus,amrwb --out runs/evaluation
"""

import typer

from audiocodec.cli.evaluate import evaluate

if __name__ == "__main__":  # worker processes import this file too
    typer.run(evaluate)
