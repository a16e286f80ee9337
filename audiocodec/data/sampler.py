"""Which rows of a step's batch belong to which process: plain arithmetic, so nothing has to be stored or restored."""

from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True, slots=True)
class RowSampler:
    """Divides the `batch_size` rows of every step over processes and micro-batches.

    A row's content is a function of (seed, step, row) alone, so the same batch is trained on by one process or many, in
    one piece or in micro-batches, and a run resumes at any step from that one number.

    Args:
        batch_size: rows of one optimizer step, over everything.
        world: processes; `rank` is this one's number.
        accumulate: micro-batches of one step.
    Raises:
        ConfigError: the rows cannot be divided evenly.
    """

    batch_size: int
    world: int = 1
    rank: int = 0
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.batch_size % (self.world * self.accumulate):
            raise ConfigError(
                f"data.batch_size={self.batch_size} cannot be shared evenly by {self.world} processes with "
                f"run.accumulate={self.accumulate} micro-batches; use a multiple of {self.world * self.accumulate}"
            )

    @property
    def rows(self) -> range:
        """Rows of this process, in all its micro-batches."""
        share = self.batch_size // self.world
        return range(self.rank * share, (self.rank + 1) * share)

    @property
    def micro_batch_size(self) -> int:
        """Rows that pass through the networks at once."""
        return self.batch_size // (self.world * self.accumulate)
