"""Being told to stop: signals become a wish that the loop grants after the present step."""

import os
import signal
from types import FrameType


class StopRequest:
    """Listens for SIGTERM, SIGINT and SIGUSR1 (Slurm's warning), and notices when a launcher has died.

    `accelerate launch` with one process is killed by SIGTERM without passing it on; its child then has another parent.
    A second SIGINT interrupts at once.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._launched = any(name.startswith("ACCELERATE_") for name in os.environ)
        self._parent = os.getppid()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        self._before = {number: signal.signal(number, self._hear) for number in numbers}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        self.signal = number

    def close(self) -> None:
        """Stop listening."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def poll(self) -> int:
        """Number of the signal received, 0 for none; a vanished launcher counts as SIGTERM."""
        if not self.signal and self._launched and os.getppid() != self._parent:
            self.signal = signal.SIGTERM
        return self.signal


def exit_code(number: int) -> int:
    """130 for SIGINT, 143 for everything else that asks for an end: the scheduler may start the run again."""
    return 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
