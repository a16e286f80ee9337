"""DistillMOS: a listener's opinion guessed from the decoded signal alone, by the package `distillmos`.

Measures that compare with a reference punish a neural codec for every detail that it invents; this one asks only
whether the result sounds like good speech. Both kinds belong in a table: they disagree about neural codecs.
"""

from functools import cache
from typing import Any

from .base import Metric, Signal


def _distillmos(reference: Signal, degraded: Signal, sample_rate: int) -> float:
    import torch

    with torch.inference_mode():
        return float(_model()(torch.from_numpy(degraded.copy())[None]))


@cache
def _model() -> Any:
    from distillmos import ConvTransformerSQAModel

    return ConvTransformerSQAModel().eval()


distillmos = Metric(
    name="distillmos",
    version="1",
    label="DistillMOS",
    definition="DistillMOS (Stahl and Gamper 2025) of the decoded signal at 16 kHz, 1 to 5, no reference; weights of "
    "the package distillmos.",
    better="higher",
    function=_distillmos,
    packages=("distillmos", "xls_r_sqa"),
)
