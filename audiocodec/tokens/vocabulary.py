"""Token ids: which number stands for which code of which codebook, and which for "padding", "begin" and "end"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError

PAD, BOS, EOS = "pad", "bos", "eos"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Ids of codes and of declared special tokens; what is declared is all there is.

    Shared by all codebooks: code c of codebook k is `base` + the sizes of the codebooks before k + c, and the special
    tokens follow the last code. Not shared, one embedding table a codebook: code c is `base` + c in every codebook, and
    the special tokens follow the largest one's last code (MusicGen's special token is 1024 for codebooks of 1024).

    Args:
        codebook_sizes: distinct codes of each codebook, coarsest first.
        shared: whether the ids of different codebooks differ.
        specials: names of the special tokens, in the order of their ids.
        base: first id; those below belong to somebody else, such as the text of the same model.
    Raises:
        ConfigError: no codebook, an empty one, a name twice, a negative base.
    """

    codebook_sizes: tuple[int, ...]
    shared: bool = True
    specials: tuple[str, ...] = (PAD, BOS, EOS)
    base: int = 0

    def __post_init__(self) -> None:
        if not self.codebook_sizes or min(self.codebook_sizes) < 1:
            raise ConfigError(f"codebook sizes {list(self.codebook_sizes)}: expected one number, 1 or more, for each")
        if len(set(self.specials)) != len(self.specials):
            raise ConfigError(f"special tokens {list(self.specials)}: each name may be declared once")
        if self.base < 0:
            raise ConfigError(f"base {self.base}: expected the first free id, 0 or more")

    @property
    def n_q(self) -> int:
        """Codebooks."""
        return len(self.codebook_sizes)

    @property
    def size(self) -> int:
        """Rows of the embedding table: one more than the largest id."""
        return self._first_special + len(self.specials)

    @property
    def _first_special(self) -> int:
        return self.base + (sum if self.shared else max)(self.codebook_sizes)

    @property
    def offsets(self) -> np.ndarray:
        """int64 [n_q]: the id of code 0 of each codebook."""
        before = np.cumsum((0, *self.codebook_sizes[:-1])) if self.shared else np.zeros(self.n_q, dtype=np.int64)
        return self.base + before.astype(np.int64)

    def special(self, name: str) -> int:
        """The id of a special token.

        Raises:
            ConfigError: it is not declared.
        """
        if name not in self.specials:
            raise ConfigError(f"special token {name!r} is not declared; declared are {list(self.specials)}")
        return self._first_special + self.specials.index(name)

    def ids(self, codebook: int) -> range:
        """All ids of one codebook: what a model may choose from where this codebook's turn is."""
        first = int(self.offsets[codebook])
        return range(first, first + self.codebook_sizes[codebook])

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Codes [n_q, T] to ids int64 [n_q, T].

        Raises:
            ShapeError: a code is outside its codebook.
        """
        sizes = np.array(self.codebook_sizes)[:, None]
        bad = np.argwhere((codes < 0) | (codes >= sizes))
        if len(bad):
            k, t = bad[0]
            largest = self.codebook_sizes[k] - 1
            raise ShapeError(f"code {codes[k, t]} of codebook {k} at frame {t}; allowed 0..{largest}")
        return codes.astype(np.int64) + self.offsets[:, None]

    def decode(self, ids: np.ndarray) -> np.ndarray:
        """Ids [n_q, T] to codes uint16 [n_q, T].

        Raises:
            ShapeError: an id does not belong to the codebook of its row.
        """
        codes = ids.astype(np.int64) - self.offsets[:, None]
        bad = np.argwhere((codes < 0) | (codes >= np.array(self.codebook_sizes)[:, None]))
        if len(bad):
            k, t = bad[0]
            allowed = self.ids(int(k))
            raise ShapeError(
                f"token {ids[k, t]} stands for codebook {k} of frame {t}; "
                f"allowed {allowed.start}..{allowed.stop - 1}; let the model choose from `vocabulary.ids(codebook)`"
            )
        return codes.astype(np.uint16)

    def to_dict(self) -> dict[str, Any]:
        """Everything that somebody needs who reads the ids elsewhere, as plain JSON."""
        return {
            "size": self.size,
            "base": self.base,
            "shared": self.shared,
            "codebook_sizes": list(self.codebook_sizes),
            "offsets": self.offsets.tolist(),
            "specials": {name: self.special(name) for name in self.specials},
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Vocabulary":
        """Undo `to_dict`."""
        sizes: Sequence[int] = facts["codebook_sizes"]
        return cls(tuple(sizes), facts["shared"], tuple(facts["specials"]), facts["base"])
