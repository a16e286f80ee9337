"""The page's code does what the page says."""

import re
from functools import partial
from pathlib import Path

import torch

from audiocodec import quantizers
from audiocodec.quantizers import DiVeQ, ProductQuantizer, ResidualQuantizer

PAGE = (Path(__file__).parents[2] / "docs/quantizers.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


def pictures(count: int):
    """Batches of one bright square each on black, [16, 1, 28, 28]."""
    torch.manual_seed(0)
    for _ in range(count):
        images = torch.zeros(16, 1, 28, 28)
        for image, (x, y) in zip(images, torch.randint(0, 20, (16, 2)).tolist(), strict=True):
            image[0, y : y + 8, x : x + 8] = 1
        yield images


def test_image_autoencoder_learns_through_its_codes():
    (example,) = [block for block in BLOCKS if "Conv2d" in block]
    assert len([line for line in example.splitlines() if line.startswith("    ")]) == 7  # a loop of a few lines
    space = {"batches": pictures(40)}
    exec(example, space)  # noqa: S102 - the page's own code
    images = next(pictures(1))
    decoded = space["decoder"](space["vq"].decode(space["codes"]).unflatten(2, (7, 7)))
    assert space["codes"].shape == (16, 49)
    assert (decoded - space["images"]).square().mean() < 0.5 * images.var()


def test_other_examples_run():
    codebook_size, dim, step, optimizer = 16, 64, 1, None
    space = {**vars(quantizers), "partial": partial, "z": torch.randn(2, 64, 5)}
    space |= {"codebook_size": codebook_size, "dim": dim, "step": step, "optimizer": optimizer}
    for block in BLOCKS:
        if "Conv2d" not in block:
            exec(block.replace("1024", "16"), space)  # noqa: S102
    assert isinstance(space["rvq"], ResidualQuantizer) and isinstance(space["parts"], ProductQuantizer)
    assert isinstance(space["vq"], DiVeQ) and space["fewer"].shape == (2, 64, 5)
