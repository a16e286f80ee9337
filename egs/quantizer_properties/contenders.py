"""The methods that are compared, each as `make(codebook_size, dim)`, and the poster's claims about them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from audiocodec.quantizers import (
    EMA,
    FSQ,
    NSVQ,
    STE,
    DiVeQ,
    DiVeQDetach,
    GumbelSoftmax,
    Replacement,
    RotationTrick,
    SFDiVeQ,
    SFDiVeQDetach,
)

STEPS = 700  # of a toy training; ST-GS cools down over all of them
NO_REPLACEMENT = Replacement(interval=0)


@dataclass(frozen=True)
class Contender:
    """One method: how to make it, and which of its own settings can be turned."""

    name: str
    method: Callable[..., Any]
    knobs: dict[str, tuple[Any, ...]] = field(
        default_factory=dict
    )  # values over two decades, the default in the middle

    def make(self, codebook_size: int, dim: int, **options: Any) -> Any:
        """The method with its defaults, but for `options`."""
        return self.method(codebook_size, dim, **options)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("STE", STE, {"commitment": (0.025, 0.25, 2.5)}),
        Contender("EMA", EMA, {"commitment": (0.025, 0.25, 2.5), "decay": (0.9, 0.99, 0.999)}),
        Contender("RT", RotationTrick, {"commitment": (0.025, 0.25, 2.5)}),
        Contender(
            "ST-GS",
            partial(GumbelSoftmax, temperature_steps=STEPS),
            {
                "kl_weight": (5e-5, 5e-4, 5e-3),
                "temperature": ((1.0, 1.0), (1.0, 0.1), (1.0, 0.01)),
                "temperature_steps": (STEPS // 10, STEPS, STEPS * 10),
            },
        ),
        Contender("NSVQ", NSVQ),
        Contender("DiVeQ", DiVeQ, {"noise": (0.002, 0.02, 0.2)}),
        Contender("SF-DiVeQ", SFDiVeQ, {"noise": (0.002, 0.02, 0.2)}),
        Contender("SF-DiVeQ two-error", partial(SFDiVeQ, surrogate="two-error")),
    )
}
OUTSIDERS = {  # not on the poster: they stand in the comparison at equal bits
    outsider.name: outsider
    for outsider in (
        Contender("DiVeQ-detach", DiVeQDetach),
        Contender("SF-DiVeQ-detach", SFDiVeQDetach),
        Contender("FSQ", FSQ),
    )
}
EVERYONE = CONTENDERS | OUTSIDERS
JOINT_DIFFERS = ("ST-GS", "NSVQ", "DiVeQ", "SF-DiVeQ")  # STE, EMA: joint and per_stage are the same computation
POSTER_METHODS = ("STE", "EMA", "RT", "ST-GS", "NSVQ", "DiVeQ", "SF-DiVeQ")
PROPERTIES = {
    1: "no auxiliary loss terms",
    2: "no hyper-parameter tuning",
    3: "unbiased codebook gradients",
    4: "no train-test mismatch",
    5: "end-to-end training",
    6: "precise quantization mapping",
    7: "no codebook misalignment",
    8: "avoiding codebook collapse",
}
POSTER: dict[int, dict[str, bool | None]] = {  # None: "n/a"
    number: dict(zip(POSTER_METHODS, ({"x": False, "y": True, "-": None}[tick] for tick in ticks), strict=True))
    for number, ticks in {
        1: "xxxxyyy",
        2: "xxxxyyy",
        3: "x-yxyyy",
        4: "yyyxxyy",
        5: "xxxyyyy",
        6: "yyyyxyy",
        7: "xxxxxxy",
        8: "xxxxxxy",
    }.items()
}
