"""What language models are trained on: codes [K, T] as rows of token ids, made at load time and undone exactly.

    view = musicgen(store.header.codebook_sizes, n_q=4)
    row = view(codes)                   # row.tokens [4, T + 4], row.mask True where a code stands
    view.invert(row.tokens)             # the first 4 rows of codes, uint16

A view is an order (patterns.py), a vocabulary (vocabulary.py) and the first `n_q` codebooks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ShapeError
from .patterns import Delay, Flat, Pattern, arrange, check_codes, check_steps, codebooks_and_frames, restore
from .vocabulary import BOS, EOS, PAD, Vocabulary


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One item as a view shows it."""

    tokens: np.ndarray  # int64 [steps] or [n_q, steps]
    mask: np.ndarray  # bool, of the same shape: True where a code stands, False at special tokens


@dataclass(frozen=True, slots=True)
class View:
    """Codes as token ids in some order, and back.

    Args:
        pattern: the order; its `n_q` codebooks are used, the first ones.
        vocabulary: of the same codebooks; "pad" stands where the pattern leaves a place empty.
        bos: special token before everything (in every row of a delay pattern), or None.
        eos: special token after everything, or None.
    Raises:
        ConfigError: pattern and vocabulary have different numbers of codebooks, or a special token is not declared.
    """

    pattern: Pattern
    vocabulary: Vocabulary
    bos: str | None = None
    eos: str | None = None

    def __post_init__(self) -> None:
        if self.pattern.n_q != self.vocabulary.n_q:
            raise ConfigError(f"a pattern of {self.pattern.n_q} codebooks, a vocabulary of {self.vocabulary.n_q}")
        for name in (PAD, self.bos, self.eos):
            if name is not None:
                self.vocabulary.special(name)

    @property
    def n_q(self) -> int:
        """Codebooks that are shown."""
        return self.pattern.n_q

    @property
    def pad(self) -> int:
        """The id that fills places without a code."""
        return self.vocabulary.special(PAD)

    def steps(self, frames: int) -> int:
        """Length of the row of an item of `frames` frames."""
        return int(self.pattern.index(frames).shape[-1]) + (self.bos is not None) + (self.eos is not None)

    def __call__(self, codes: np.ndarray) -> TokenRow:
        """Show codes.

        Args:
            codes: [K, T] integers, K at least `n_q`; only the first `n_q` are looked at.
        Returns:
            Token ids and the mask of those that stand for codes.
        Raises:
            ShapeError: another shape, or a code outside its codebook.
        """
        codes = check_codes(codes, self.n_q)
        tokens, mask = arrange(self.vocabulary.encode(codes), self.pattern, self.pad)
        edges = self._edges()
        tokens = np.pad(tokens, edges, constant_values=-1)
        if self.bos is not None:
            tokens[..., 0] = self.vocabulary.special(self.bos)
        if self.eos is not None:
            tokens[..., -1] = self.vocabulary.special(self.eos)
        return TokenRow(tokens, np.pad(mask, edges))

    def invert(self, tokens: np.ndarray) -> np.ndarray:
        """Undo the view exactly: invert(view(codes).tokens) == codes[:n_q].

        Args:
            tokens: [steps] or [n_q, steps], whole as the view made it.
        Returns:
            Codes uint16 [n_q, T].
        Raises:
            ShapeError: another shape, a special token missing at an end or standing in between, something else than
                padding where no code stands, an unfinished frame.
        """
        check_steps(tokens, self.pattern)
        inner = self._strip(tokens)
        codes = self.vocabulary.decode(restore(inner, self.pattern))
        again, _ = arrange(self.vocabulary.encode(codes), self.pattern, self.pad)
        if again.shape != inner.shape or not np.array_equal(again, inner):
            raise ShapeError(
                f"{inner.shape[-1]} steps hold {codes.shape[1]} frames and something else than padding around them; "
                "of a row that a model is still writing take `finished(tokens)`"
            )
        return codes

    def finished(self, tokens: np.ndarray) -> np.ndarray:
        """Codes of the frames that are complete in a row that a model is still writing.

        Args:
            tokens: [steps] or [n_q, steps] from the row's beginning; everything from the first `eos` on is left out.
        Returns:
            Codes uint16 [n_q, t].
        Raises:
            ShapeError: another shape, or a token that does not belong where it stands.
        """
        check_steps(tokens, self.pattern)
        if self.eos is not None:
            ends = np.flatnonzero((tokens == self.vocabulary.special(self.eos)).reshape(-1, tokens.shape[-1]).any(0))
            tokens = tokens[..., : ends[0]] if len(ends) else tokens
        return self.vocabulary.decode(restore(tokens[..., int(self.bos is not None) :], self.pattern))

    def cells(self, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Codebook and frame of every token of a row.

        Returns:
            Two int64 arrays of the shape of the row; -1 at special tokens.
        """
        codebook, frame = codebooks_and_frames(self.pattern, frames)
        return tuple(np.pad(array, self._edges(), constant_values=-1) for array in (codebook, frame))  # type: ignore[return-value]

    def _edges(self) -> list[tuple[int, int]]:
        """What `np.pad` adds along the steps for `bos` and `eos`, and along rows (nothing)."""
        rows = self.pattern.index(0).ndim - 1
        return [(0, 0)] * rows + [(int(self.bos is not None), int(self.eos is not None))]

    def _strip(self, tokens: np.ndarray) -> np.ndarray:
        for name, place in ((self.bos, 0), (self.eos, -1)):
            if name is None:
                continue
            if not tokens.shape[-1] or not (tokens[..., place] == self.vocabulary.special(name)).all():
                where = "begin" if place == 0 else "end"
                raise ShapeError(f"the row does not {where} with {name!r} ({self.vocabulary.special(name)})")
            tokens = tokens[..., 1:] if place == 0 else tokens[..., :-1]
        return tokens


def flat(
    codebook_sizes: Sequence[int],
    n_q: int | None = None,
    *,
    groups: Sequence[int] | None = None,
    specials: Sequence[str] = (PAD, BOS, EOS),
    base: int = 0,
    ends: bool = True,
) -> View:
    """One row of ids, every codebook with ids of its own, frame-interleaved: all codes of frame 0, of frame 1, ...

    Args:
        codebook_sizes: of the store or codec, coarsest first.
        n_q: how many codebooks, the first ones; default all.
        groups: another order than frame by frame: see `patterns.Flat` and `coarse_first`.
        specials: special tokens, declared with ids after those of the codes; "pad" must be among them.
        base: first id, where others share the vocabulary.
        ends: whether "bos" and "eos" stand around each item.
    """
    sizes = first_sizes(codebook_sizes, n_q)
    pattern = Flat(tuple(groups) if groups is not None else (len(sizes),))
    vocabulary = Vocabulary(sizes, True, tuple(specials), base)
    return View(pattern, vocabulary, BOS if ends else None, EOS if ends else None)


def coarse_first(
    codebook_sizes: Sequence[int],
    n_q: int | None = None,
    *,
    coarse: int | None = None,
    base: int = 0,
    ends: bool = True,
) -> View:
    """One row of ids: all frames of the coarsest codebook, then all of the next, ...

    Args:
        codebook_sizes, n_q, base, ends: see `flat`.
        coarse: AudioLM's order instead: the first `coarse` codebooks frame by frame, then the others frame by frame.
    """
    count = len(first_sizes(codebook_sizes, n_q))
    if coarse is not None and not 0 < coarse < count:
        raise ConfigError(f"coarse={coarse}: of {count} codebooks 1 to {count - 1} can be the coarse ones")
    groups = (1,) * count if coarse is None else (coarse, count - coarse)
    return flat(codebook_sizes, n_q, groups=groups, base=base, ends=ends)


def delay(codebook_sizes: Sequence[int], delays: Sequence[int], *, bos: bool = True) -> View:
    """One row of ids a codebook, codebook k `delays[k]` steps late; "pad" stands where no code does, and as `bos`.

    Args:
        codebook_sizes: of the store or codec.
        delays: in steps; their number says how many codebooks are used.
        bos: whether a step without codes comes first, which a model needs to predict the first code from.
    """
    sizes = first_sizes(codebook_sizes, len(delays))
    return View(Delay(tuple(delays)), Vocabulary(sizes, False, (PAD,)), PAD if bos else None)


def musicgen(codebook_sizes: Sequence[int], n_q: int | None = None) -> View:
    """MusicGen's order: codebook k is k steps late. The special token has the id after the largest code, as there."""
    return delay(codebook_sizes, range(len(first_sizes(codebook_sizes, n_q))))


def moshi(codebook_sizes: Sequence[int], n_q: int | None = None, *, acoustic_delay: int = 1) -> View:
    """Moshi's order: the first codebook in time, all others `acoustic_delay` steps late.

    Source: Moshi, Defossez et al. 2024, arXiv:2410.00037 (acoustic delay of 1 or 2 steps).
    """
    count = len(first_sizes(codebook_sizes, n_q))
    return delay(codebook_sizes, (0, *(acoustic_delay,) * (count - 1)))


def parallel(codebook_sizes: Sequence[int], n_q: int | None = None) -> View:
    """All codebooks of a frame in one step: the codes as they are, the first `n_q` rows."""
    return delay(codebook_sizes, (0,) * len(first_sizes(codebook_sizes, n_q)), bos=False)


VIEWS: dict[str, Callable[[Sequence[int], int | None], View]] = {
    "flat": flat,
    "coarse-first": coarse_first,
    "musicgen": musicgen,
    "moshi": moshi,
    "parallel": parallel,
}


def make_view(name: str, codebook_sizes: Sequence[int], n_q: int | None = None) -> View:
    """A view by its name, for command lines and configurations.

    Raises:
        ConfigError: no such view, or `n_q` is out of range.
    """
    if name not in VIEWS:
        raise ConfigError(f"view {name!r} is not known; known are {', '.join(VIEWS)}")
    return VIEWS[name](codebook_sizes, n_q)


def first_sizes(codebook_sizes: Sequence[int], n_q: int | None) -> tuple[int, ...]:
    """Sizes of the first `n_q` codebooks, of all for None.

    Raises:
        ConfigError: out of range.
    """
    n_q = len(codebook_sizes) if n_q is None else n_q
    if not 1 <= n_q <= len(codebook_sizes):
        raise ConfigError(f"n_q={n_q}: the store has codebooks 1 to {len(codebook_sizes)}")
    return tuple(int(size) for size in codebook_sizes[:n_q])
