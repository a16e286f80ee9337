"""Worker processes that may crash: a job that kills its process costs that job, never the run.

Workers die: PESQ's reference code can crash the interpreter, libraries that decode broken recordings can, and a machine
that runs out of memory kills some process. The standard library's pools stop for good when a worker dies; this one
notices, says what the worker was doing, starts another, and goes on. Workers are fresh interpreters (spawned), limited
to one thread each.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..errors import CodecError

Step = Callable[[str], None]
"""Called by a job as it goes, with the name of what it does next; told in the error if the process dies there."""
SLOT_VARIABLE = "AUDIOCODEC_WORKER"  # in a worker's environment: its number, 0 to n_processes - 1; for choosing a GPU
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Job:
    """A call of a module-level function as function(*arguments, step), in some worker."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: its `value`, or an `error`; `step` is the last one begun; `died`: the process is gone."""

    job: Job
    value: Any = None
    error: str = ""
    step: str = ""
    died: bool = False


@dataclass(slots=True)
class _Worker:
    slot: int
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    step: str = ""
    deadline: float = float("inf")


class Pool:
    """Up to `n_processes` workers, started as jobs come. Use as a context: leaving it ends every worker.

    with Pool(2) as pool:
        pool.submit(Job(measure, (file, system)))
        for outcome in pool.outcomes():        # more jobs may be submitted meanwhile
            ...
    """

    def __init__(self, n_processes: int, timeout_s: float = 900.0, log: str = os.devnull):
        """
        Args:
            n_processes: how many jobs run at once.
            timeout_s: a job that takes longer is ended with its process.
            log: file that the workers' stdout and stderr are appended to.
        """
        self._n_processes, self._timeout_s, self._log = n_processes, timeout_s, log
        self._waiting: deque[Job] = deque()
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def submit(self, job: Job) -> None:
        """Queue a job; it starts when `outcomes` is iterated."""
        self._waiting.append(job)

    @property
    def n_unfinished(self) -> int:
        """Jobs queued or running."""
        return len(self._waiting) + sum(worker.job is not None for worker in self._workers)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield each job's outcome as it comes, until no job is queued or running."""
        while self._start_waiting():
            busy = {worker.pipe: worker for worker in self._workers if worker.job}
            patience_s = min(worker.deadline for worker in busy.values()) - time.monotonic()
            for pipe in wait(list(busy), timeout=max(0.0, patience_s)):
                if outcome := self._receive(busy[pipe]):  # type: ignore[index]
                    yield outcome
            for worker in [w for w in self._workers if w.job and w.deadline < time.monotonic()]:
                yield self._bury(worker, f"no answer in {self._timeout_s:g} s")

    def _start_waiting(self) -> bool:
        """Hand queued jobs to free workers, starting workers up to the limit; False when nothing is left to do."""
        while self._waiting:
            free = next((worker for worker in self._workers if not worker.job), None)
            if free is None and len(self._workers) < self._n_processes:
                free = self._start()
                self._workers.append(free)
            if free is None:
                break
            free.job, free.step = self._waiting.popleft(), ""
            free.deadline = time.monotonic() + self._timeout_s
            free.pipe.send(free.job)
        return any(worker.job for worker in self._workers)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._log), daemon=True)
        taken = {worker.slot for worker in self._workers}
        slot = next(number for number in range(self._n_processes) if number not in taken)
        with _environment({**ONE_THREAD, SLOT_VARIABLE: str(slot)}):
            process.start()
        theirs.close()
        return _Worker(slot, process, ours)

    def _receive(self, worker: _Worker) -> Outcome | None:
        """Read one message of a worker: a step (no outcome yet), a result, or its end."""
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            return self._bury(worker, f"the process died: {_cause(worker.process.exitcode)}")
        job = worker.job
        if kind == "step" or job is None:
            worker.step = content
            return None
        worker.job, worker.deadline = None, float("inf")
        return Outcome(job, **{kind: content}, step=worker.step)

    def _bury(self, worker: _Worker, error: str) -> Outcome:
        """Take a worker that is dead or to be ended out of the pool; its job ends with it."""
        self._workers.remove(worker)
        self._end(worker)
        assert worker.job is not None
        return Outcome(worker.job, error=error, step=worker.step, died=True)

    @staticmethod
    def _end(worker: _Worker) -> None:
        worker.pipe.close()
        worker.process.kill()
        worker.process.join()


def _serve(pipe: Connection, log: str) -> None:
    """A worker's life: jobs in, messages out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends us
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionError):
            return
        try:
            pipe.send(("value", job.function(*job.arguments, lambda step: pipe.send(("step", step)))))
        except CodecError as error:
            pipe.send(("error", str(error)))
        except Exception as error:  # whatever a library under test raises is a result of the test
            pipe.send(("error", f"{type(error).__name__}: {error}"))


def _cause(exit_code: int | None) -> str:
    """In words, why a process ended: the signal's name where it was one."""
    if exit_code is not None and exit_code < 0:
        return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes started inside, then put the old ones back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
