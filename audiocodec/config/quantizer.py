"""The settings of the residual quantizer: its method, its size, and every knob with the default that we recommend."""

from math import log2, prod
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Frozen

Positive = Annotated[int, Field(gt=0)]
Method = Literal[
    "diveq",
    "diveq_detach",
    "sf_diveq",
    "sf_diveq_detach",
    "ste",
    "ema",
    "rotation_trick",
    "gumbel_softmax",
    "nsvq",
    "fsq",
]
Surrogate = Literal["point", "two-error"]
SF_METHODS = ("sf_diveq", "sf_diveq_detach")
DECODING = ("method", "n_q", "codebook_size", "codebook_dim", "sf_bits")  # settings that decide how codes decode


def fsq_levels(codebook_size: int) -> tuple[int, ...]:
    """Grid of finite scalar quantization with as many points as fit into `codebook_size`.

    Args:
        codebook_size: wanted number of points, at least 2.
    Returns:
        Levels a dimension, largest first, each at most 8: of 5 or more where their product reaches 90 % of
        `codebook_size`, else of 3 or 2 and more. The product never exceeds `codebook_size`.
    Source: Mentzer et al. 2023, arXiv:2309.15505, section 4.1 (levels of at least 5 work best); sizes between the
        paper's table are filled by search.
    """
    best: tuple[int, ...] = ()
    for lowest in (5, 3, 2):
        best = max([best, *_grids(codebook_size, lowest)], key=prod)
        if prod(best) >= 0.9 * codebook_size:
            break
    return best


def _grids(codebook_size: int, lowest: int) -> list[tuple[int, ...]]:
    """All non-increasing level lists within [lowest, 8] and below the product, short ones first."""
    grids: list[tuple[int, ...]] = [()]
    for grid in grids:  # grows while it is walked: breadth first
        top = min(grid[-1] if grid else 8, codebook_size // prod(grid))
        grids += [(*grid, level) for level in range(top, lowest - 1, -1)]
    return grids


class QuantizerConfig(Frozen):
    """A residual stack of equal stages; `audiocodec.quantizers.build` turns it into a module."""

    method: Method = "diveq"
    n_q: Positive = Field(12, description="stages; any prefix of them decodes")
    codebook_size: int = Field(1024, ge=2, description="codewords a stage (fsq: the largest grid that fits)")
    codebook_dim: Positive | None = Field(None, description="stages search in a projection to so many dimensions")
    wiring: Literal["joint", "per_stage"] = Field(
        "per_stage", description="where the gradient estimator acts: once on the sum of all stages, or in each stage"
    )
    beam: Positive = Field(
        1, description="paths followed through the stages: more lower the error at the same bits, and encode slower"
    )
    dropout: float = Field(0.5, ge=0, le=1, description="share of training items that keep a random prefix of stages")

    noise: float = Field(0.02, ge=0, description="diveq, sf_diveq: length of the noise, in lengths of the error")
    sf_bits: int = Field(0, ge=0, le=3, description="sf_diveq: extra bits a stage that place the point on its segment")
    surrogate: Surrogate = Field("point", description="sf_diveq: 'two-error' is the paper's; per_stage only")
    snap_from: int | None = Field(None, ge=0, description="sf_diveq: from this step train on what sf_bits decode")
    commitment: float | None = Field(
        None, ge=0, description="pull of latents to codewords; None: the method's (.25 or 0)"
    )
    ema_decay: float = Field(0.99, ge=0, lt=1, description="ema: share of the old statistics kept by an update")
    logits: Literal["linear", "distance"] = Field("linear", description="gumbel_softmax: where the logits come from")
    temperature: tuple[float, float] = Field((1.0, 0.1), description="gumbel_softmax: first and last temperature")
    temperature_steps: Positive = Field(10_000, description="gumbel_softmax: steps of the exponential way between them")
    kl_weight: float = Field(5e-4, ge=0, description="gumbel_softmax: weight of KL(softmax || uniform)")

    replacement_interval: int = Field(100, ge=0, description="steps between replacements of dead codewords; 0: never")
    replacement_threshold: float = Field(
        0.01,
        ge=0,
        le=1,
        description="a codeword is dead below this share of its fair part of the tokens",
    )
    replacement_stop: int | None = Field(
        None, ge=0, description="last step that replaces; None: 90 % of the run where its length is known"
    )
    warmup: int = Field(
        0, ge=0, description="steps that pass latents through and collect them; then codebooks start from data"
    )
    seed: int = Field(0, ge=0, description="of initialisation and replacement: both depend on (seed, step) alone")

    @model_validator(mode="after")
    def _fits_together(self) -> "QuantizerConfig":
        if self.sf_bits and self.method not in SF_METHODS:
            raise ValueError(f"sf_bits={self.sf_bits} needs method sf_diveq or sf_diveq_detach, not {self.method}")
        if self.method == "fsq" and self.codebook_dim is not None:
            raise ValueError("fsq projects to the dimensions of its grid by itself; leave codebook_dim out")
        if self.wiring == "joint":
            if self.method == "fsq":
                raise ValueError("wiring 'joint' gives fsq's projections no gradient; use wiring: per_stage")
            if self.codebook_dim is not None:
                raise ValueError("wiring 'joint' gives codebook_dim's projections no gradient; use wiring: per_stage")
            if self.surrogate == "two-error":
                raise ValueError("surrogate 'two-error' is defined for a stage of its own; use wiring: per_stage")
        if not 0 < min(self.temperature) or self.temperature[0] < self.temperature[1]:
            raise ValueError(f"temperature={list(self.temperature)} must not rise, and stay above 0")
        return self

    @property
    def alphabet_size(self) -> int:
        """Distinct codes of one stage: what the bitstream must be able to write."""
        if self.method == "fsq":
            return prod(fsq_levels(self.codebook_size))
        return (self.codebook_size - 1) * 2**self.sf_bits + 1

    @property
    def bits(self) -> float:
        """Information of one code in bits, log2 of `alphabet_size`."""
        return log2(self.alphabet_size)
