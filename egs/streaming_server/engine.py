"""The part of the server that computes: all voices in one pool of encoders and one of decoders, in its own thread."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from audiocodec import DecoderPool, EncoderPool
from audiocodec.states import AnyCodec

Samples = NDArray[np.float32]

MAX_WAITING_S = 2.0  # audio of one voice that may wait to be computed; a client that is further ahead is cut off


class Overrun(Exception):
    """A client sends faster than real time for longer than the queue allows."""


class Voice:
    """One client: samples that wait, and where what was heard of them goes."""

    def __init__(self, n_q: int, deliver: Callable[[Samples], None]):
        self.n_q, self.deliver = n_q, deliver
        self.waiting: list[Samples] = []  # [1, any]
        self.encoder = self.decoder = -1  # numbers in the pools

    @property
    def n_waiting(self) -> int:
        """Samples."""
        return sum(piece.shape[-1] for piece in self.waiting)


class Engine:
    """Encodes and decodes whatever has come since it looked last: the busier, the larger its batches.

    Args:
        codec: a mono codec, with or without PyTorch.
        capacity: voices at the same time.
    """

    def __init__(self, codec: AnyCodec, capacity: int):
        self.codec, self.capacity = codec, capacity
        self.encoders, self.decoders = EncoderPool(codec, capacity), DecoderPool(codec, capacity)
        self.voices: set[Voice] = set()
        self._work = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "codec")  # the only one that touches the pools
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Warm up, so that the first voice does not pay for it, and begin to compute."""
        await self._in_thread(self._warm_up)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the computing task and its thread."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown()

    @property
    def full(self) -> bool:
        """No further voice can be taken."""
        return len(self.voices) >= self.capacity

    async def join(self, voice: Voice) -> None:
        """Take a voice; the caller has looked at `full`."""
        self.voices.add(voice)

        def add() -> None:
            voice.encoder, voice.decoder = self.encoders.add(), self.decoders.add()

        await self._in_thread(add)

    async def leave(self, voice: Voice) -> None:
        """Give a voice's place free."""

        def discard() -> None:
            self.encoders.discard(voice.encoder)
            self.decoders.discard(voice.decoder)

        self.voices.discard(voice)  # first: what is computed from now on leaves it out, and the thread keeps the order
        await self._in_thread(discard)

    def push(self, voice: Voice, samples: Samples) -> None:
        """Queue samples [1, n].

        Raises:
            Overrun: too much is waiting already.
        """
        if voice.n_waiting + samples.shape[-1] > MAX_WAITING_S * self.codec.sample_rate:
            raise Overrun
        voice.waiting.append(samples)
        self._work.set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            pieces = {}
            for voice in list(self.voices):
                if voice.waiting and voice.encoder >= 0:
                    pieces[voice] = np.concatenate(voice.waiting, axis=-1)
                    voice.waiting.clear()
            if pieces:
                for voice, wav in (await self._in_thread(self._compute, pieces)).items():
                    voice.deliver(wav)

    def _compute(self, pieces: dict[Voice, Samples]) -> dict[Voice, Samples]:
        # A voice may have left while it waited for this thread.
        present = {voice: wav for voice, wav in pieces.items() if voice in self.voices}
        codes = self.encoders.push({voice.encoder: wav for voice, wav in present.items()})
        wavs = self.decoders.push({voice.decoder: codes[voice.encoder][: voice.n_q] for voice in present})
        return {voice: self.codec.to_numpy(wavs[voice.decoder]) for voice in present}

    def _warm_up(self) -> None:
        streams = [(self.encoders.add(), self.decoders.add()) for _ in range(self.capacity)]
        silence = self.codec.silence(1, self.codec.hop_length)[0]
        for count in sorted({1, 2, 4, 8, 16, 32, self.capacity}):
            some = streams[:count]
            codes = self.encoders.push({encoder: silence for encoder, _ in some})
            self.decoders.push({decoder: codes[encoder] for encoder, decoder in some})
        for encoder, decoder in streams:
            self.encoders.discard(encoder)
            self.decoders.discard(decoder)

    async def _in_thread(self, function: Callable, *arguments: object) -> dict:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
