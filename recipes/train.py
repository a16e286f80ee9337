"""Train a codec, or turn a checkpoint into a folder that can be shipped.

python recipes/train.py --config conf/smoke.yaml
accelerate launch recipes/train.py --config conf/speech_16k.yaml data.train=DIR run.dir=runs/mine --resume auto
python recipes/train.py export runs/mine my_model
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also runs from a checkout that is not installed

from audiocodec.training.main import main

if __name__ == "__main__":
    sys.exit(main())
