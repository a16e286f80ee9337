"""In which order codes [K, T] are shown to a model: a pattern says for every place which code stands there.

A pattern is an array of places that holds, for each, the number k * T + t of its code, or -1 where none stands. Every
code stands in exactly one place, so the inverse of any pattern is the same scatter: there is one to prove.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError, ShapeError


class Pattern(Protocol):
    """An order of the codes of `n_q` codebooks."""

    @property
    def n_q(self) -> int:
        """Codebooks."""

    def index(self, frames: int) -> np.ndarray:
        """int64, [steps] or [n_q, steps]: k * frames + t of the code that stands there, -1 for none."""

    def frames(self, steps: int) -> int:
        """Frames of which `steps` steps hold every code; what is beyond them is an unfinished frame."""


@dataclass(frozen=True, slots=True)
class Delay:
    """One row a codebook, each late by its own number of steps: [K, T + max(delays)].

    All codes of a step can be predicted at once, and a codebook still sees the coarser ones of its frame.

    Args:
        delays: steps, one a codebook, at least 0; all 0 is the parallel pattern.
    Raises:
        ConfigError: no codebook, or a negative delay.
    Source: MusicGen, Copet et al. 2023, arXiv:2306.05284, section 2.2.
    """

    delays: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.delays or min(self.delays) < 0:
            raise ConfigError(f"delays {list(self.delays)}: expected one number of steps, 0 or more, for each codebook")

    @property
    def n_q(self) -> int:
        """Codebooks."""
        return len(self.delays)

    def index(self, frames: int) -> np.ndarray:
        """int64 [n_q, frames + max(delays)]; nothing at all for no frames."""
        if frames == 0:
            return np.full((self.n_q, 0), -1, dtype=np.int64)
        places = np.full((self.n_q, frames + max(self.delays)), -1, dtype=np.int64)
        for k, delay in enumerate(self.delays):
            places[k, delay : delay + frames] = k * frames + np.arange(frames)
        return places

    def frames(self, steps: int) -> int:
        """Frames whose last codebook has come."""
        return max(steps - max(self.delays), 0)


@dataclass(frozen=True, slots=True)
class Flat:
    """All codes in one row, [K * T]: group after group of codebooks, within a group frame after frame.

    Args:
        groups: codebooks of each group, coarsest first; (K,) is frame-interleaved, (1, 1, ..., 1) codebook after
            codebook, (c, K - c) coarse before fine.
    Raises:
        ConfigError: no group, or an empty one.
    Source: AudioLM, Borsos et al. 2022, arXiv:2209.03143 (coarse, then fine).
    """

    groups: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.groups or min(self.groups) < 1:
            raise ConfigError(f"groups {list(self.groups)}: expected numbers of codebooks, each 1 or more")

    @property
    def n_q(self) -> int:
        """Codebooks."""
        return sum(self.groups)

    def index(self, frames: int) -> np.ndarray:
        """int64 [n_q * frames]."""
        places = np.arange(self.n_q * frames, dtype=np.int64).reshape(self.n_q, frames)
        edges = np.cumsum(self.groups)[:-1]
        return np.concatenate([group.T.ravel() for group in np.split(places, edges)])

    def frames(self, steps: int) -> int:
        """Whole frames; with several groups the row must be finished, because its parts have no other mark."""
        if len(self.groups) > 1 and steps % self.n_q:
            raise ShapeError(
                f"{steps} tokens are no whole number of frames of {self.n_q} codebooks; "
                "in this order an unfinished row cannot be cut into its groups"
            )
        return steps // self.n_q


def arrange(codes: np.ndarray, pattern: Pattern, fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Put codes into the places of a pattern.

    Args:
        codes: [n_q, T] of any integer type.
        fill: what stands where no code does.
    Returns:
        Tokens int64 and mask bool, [steps] or [n_q, steps]; the mask is True where a code stands.
    """
    index = pattern.index(codes.shape[1])
    mask = index >= 0
    tokens = np.full(index.shape, fill, dtype=np.int64)
    tokens[mask] = codes.ravel()[index[mask]]
    return tokens, mask


def restore(tokens: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Undo `arrange` for the finished frames; what follows them is left out.

    Args:
        tokens: [steps] or [n_q, steps].
    Returns:
        Codes [n_q, frames] of the type of `tokens`.
    """
    frames = pattern.frames(tokens.shape[-1])
    index = pattern.index(frames)
    mask = index >= 0
    codes = np.empty(pattern.n_q * frames, dtype=tokens.dtype)
    codes[index[mask]] = tokens[..., : index.shape[-1]][mask]
    return codes.reshape(pattern.n_q, frames)


def check_codes(codes: np.ndarray, n_q: int) -> np.ndarray:
    """The first `n_q` rows of codes [K, T].

    Raises:
        ShapeError: not two-dimensional integers with at least `n_q` rows.
    """
    if codes.ndim != 2 or codes.shape[0] < n_q or not np.issubdtype(codes.dtype, np.integer):
        raise ShapeError(
            f"codes are {codes.dtype} {list(codes.shape)}; expected integers [K, T] with K of {n_q} codebooks or more"
        )
    return codes[:n_q]


def check_steps(tokens: np.ndarray, pattern: Pattern) -> None:
    """Refuse tokens that are not in the shape of a pattern.

    Raises:
        ShapeError: another number of dimensions or rows.
    """
    expected = pattern.index(0).shape[:-1]
    if tokens.shape[:-1] != expected or not np.issubdtype(tokens.dtype, np.integer):
        shape = [*expected, "steps"]
        raise ShapeError(f"tokens are {tokens.dtype} {list(tokens.shape)}; expected integers {shape}".replace("'", ""))


def codebooks_and_frames(pattern: Pattern, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Whose code stands where.

    Returns:
        Codebook and frame of every place, int64 of the shape of `pattern.index`; -1 where no code stands.
    """
    index = pattern.index(frames)
    codebook, frame = np.divmod(index, max(frames, 1))
    return np.where(index >= 0, codebook, -1), np.where(index >= 0, frame, -1)
