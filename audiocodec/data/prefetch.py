"""Reading ahead: batches of coming steps are made by threads while the present one is trained on."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterates load(start), load(start + 1), ... in order, `depth` of them ahead in `workers` threads.

    Threads rather than processes: decoding and resampling leave Python's lock while they work, nothing is copied
    between processes, and no child can outlive the run or catch its signals.

    Args:
        load: makes the item of one number; must not depend on the order of calls.
        start, stop: first number, and the one after the last.
        workers: 0 loads in line.
        depth: items ahead.
    """

    def __init__(self, load: Callable[[int], T], start: int, stop: int, workers: int, depth: int):
        self._load, self._numbers = load, iter(range(start, stop))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="data") if workers else None
        self._ahead: deque[Future[T]] = deque()
        if self._pool:
            for _ in range(depth):
                self._submit()

    def _submit(self) -> None:
        assert self._pool is not None
        if (number := next(self._numbers, None)) is not None:
            self._ahead.append(self._pool.submit(self._load, number))

    def __iter__(self) -> Iterator[T]:
        if self._pool is None:
            yield from map(self._load, self._numbers)
            return
        while self._ahead:
            self._submit()
            yield self._ahead.popleft().result()

    def close(self) -> None:
        """Drop what was read ahead."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
