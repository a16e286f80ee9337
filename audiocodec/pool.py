"""Many streams on one core: streams that begin and end when they like share one batch.

    pool = EncoderPool(codec, capacity=64)
    voice = pool.add()
    codes = pool.push({voice: samples, other: more_samples})   # whole frames of all of them in one pass
    last = pool.remove(voice)

A stream gives the codes that it would give alone. Its state is a value: `state` takes it out, `add` puts it in, into
this pool, another one, or one in another process (states.py).
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import torch
from torch import Tensor

from .codec import Codec
from .errors import CapacityError, ShapeError
from .nn.stream import State, map_state
from .streaming import DecoderState, EncoderState

S = TypeVar("S", EncoderState, DecoderState)

MAX_FRAMES = 64  # of one stream in one pass: one that brings minutes at once does not hold up the others for long
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # streams in a pass: few, each is prepared once


class Pool(Generic[S]):
    """What EncoderPool and DecoderPool have in common: places in a batch.

    Args:
        codec: must not be trained further while streams run.
        capacity: streams at the same time, at most.
    """

    def __init__(self, codec: Codec, capacity: int):
        if capacity < 1:
            raise CapacityError(f"a pool needs room for at least one stream, got capacity={capacity}")
        self.codec, self.capacity = codec, capacity
        self._fresh = self._new_state(1)
        self._layers = self._new_state(capacity + 1)  # the last place is nobody's: passes are filled up with it
        self._free = list(range(capacity - 1, -1, -1))
        self._places: dict[int, int] = {}
        self._added = 0

    def __len__(self) -> int:
        """Streams in the pool."""
        return len(self._places)

    @torch.inference_mode()
    def add(self, state: S | None = None) -> int:
        """Begin a stream, or go on with one.

        Args:
            state: of one stream, taken from a pool or a streaming session; None for a new stream.
        Returns:
            The number by which `push`, `state` and `remove` know it; never given twice.
        Raises:
            CapacityError: the pool is full.
            ShapeError: `state` is of several streams.
        """
        if not self._free:
            raise CapacityError(f"all {self.capacity} places of this pool are taken; remove a stream first")
        layers = self._fresh if state is None else state.layers
        self._check_single(layers)
        place, stream = self._free.pop(), self._added
        self._added += 1
        self._places[stream] = place
        map_state(lambda mine, new: mine[place : place + 1].copy_(new), self._layers, layers)
        self._begin(stream, state)
        return stream

    @torch.inference_mode()
    def state(self, stream: int) -> S:
        """The stream's state: a value, which the pool does not touch again.

        Raises:
            KeyError: no such stream.
        """
        place = self._places[stream]
        return self._with_layers(stream, map_state(lambda t: t[place : place + 1].clone(), self._layers))

    def discard(self, stream: int) -> None:
        """End a stream whose last frames nobody wants.

        Raises:
            KeyError: no such stream.
        """
        self._free.append(self._places.pop(stream))
        self._end(stream)

    def _check_single(self, layers: State) -> None:
        def check(mine: Tensor, given: Tensor) -> Tensor:
            if given.shape != mine.shape:
                raise ShapeError(f"a pool takes the state of one stream of its codec; got {list(given.shape)}")
            return given

        map_state(check, self._fresh, layers)

    def _rounds(self, waiting: dict[int, Tensor], unit: int) -> dict[int, list[Tensor]]:
        """Take all whole units off the fronts of `waiting` [..., n]: powers of two, the largest first, so that few
        passes of few shapes serve streams that have brought unlike amounts."""
        done: dict[int, list[Tensor]] = {stream: [] for stream in waiting}
        while most := max((x.shape[-1] // unit for x in waiting.values()), default=0):
            frames = min(MAX_FRAMES, 1 << (most.bit_length() - 1))
            for group in _groups([stream for stream, x in waiting.items() if x.shape[-1] >= frames * unit]):
                results = self._pass(group, torch.stack([waiting[s][..., : frames * unit] for s in group]))
                for stream, result in zip(group, results, strict=False):
                    done[stream].append(result)
                    waiting[stream] = waiting[stream][..., frames * unit :]
        return done

    def _pass(self, streams: list[int], x: Tensor) -> Tensor:
        size = next(size for size in SIZES if size >= len(streams))
        places = [self._places[stream] for stream in streams]
        index = torch.tensor(places + [self.capacity] * (size - len(streams)))
        state = map_state(lambda t: t[index], self._layers)
        filled = torch.nn.functional.pad(x, (0, 0) * (x.ndim - 1) + (0, size - len(x)))
        y, state = self._step(filled, state)
        used = index[: len(streams)]
        map_state(lambda mine, new: mine.index_copy_(0, used, new[: len(streams)]), self._layers, state)
        return y

    @abstractmethod
    def _new_state(self, batch_size: int) -> State: ...

    @abstractmethod
    def _step(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...

    @abstractmethod
    def _begin(self, stream: int, state: S | None) -> None: ...

    @abstractmethod
    def _with_layers(self, stream: int, layers: State) -> S: ...

    @abstractmethod
    def _end(self, stream: int) -> None: ...


class EncoderPool(Pool[EncoderState]):
    """Streaming encoders that share one batch; see the head of this file.

    Args:
        codec: must not be trained further while streams run.
        capacity: streams at the same time, at most.
        n_q: codebooks of all of them, default all.
    """

    def __init__(self, codec: Codec, capacity: int, n_q: int | None = None):
        self.n_q = codec.check_n_q(n_q)
        self._rest: dict[int, Tensor] = {}  # [C, < hop] samples that do not fill a frame yet
        super().__init__(codec, capacity)

    @torch.inference_mode()
    def push(self, pieces: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Take the next samples of some streams.

        Args:
            pieces: stream -> [C, any number] in [-1, 1] at the codec's rate.
        Returns:
            stream -> codes [n_q, t] int64 of the t >= 0 frames that are complete now.
        Raises:
            KeyError: no such stream.
            ShapeError: another number of channels. No stream has taken anything then.
        """
        for stream, wav in pieces.items():
            if wav.ndim != 2 or len(wav) != self.codec.channels:
                raise ShapeError(f"stream {stream}: pushed {list(wav.shape)}; expected [{self.codec.channels}, any]")
        waiting = {stream: torch.cat([self._rest[stream], wav.float()], dim=-1) for stream, wav in pieces.items()}
        done = self._rounds(waiting, self.codec.hop_length)
        self._rest |= {stream: rest.clone() for stream, rest in waiting.items()}
        empty = torch.zeros(self.n_q, 0, dtype=torch.int64)
        return {stream: torch.cat([empty, *codes], dim=-1) for stream, codes in done.items()}

    def remove(self, stream: int) -> Tensor:
        """End a stream: codes [n_q, 0 or 1] of its last, zero-padded frame, if one is begun.

        Raises:
            KeyError: no such stream.
        """
        rest = self._rest[stream]
        codes = self.push({stream: rest.new_zeros(len(rest), -rest.shape[-1] % self.codec.hop_length)})[stream]
        self.discard(stream)
        return codes

    def _new_state(self, batch_size: int) -> State:
        return self.codec.encoder_state(batch_size)

    def _step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self.codec.encode_frames(x, state, self.n_q)

    def _begin(self, stream: int, state: EncoderState | None) -> None:
        self._rest[stream] = torch.zeros(self.codec.channels, 0) if state is None else state.rest[0].clone()

    def _with_layers(self, stream: int, layers: State) -> EncoderState:
        return EncoderState(self._rest[stream][None].clone(), layers)

    def _end(self, stream: int) -> None:
        del self._rest[stream]


class DecoderPool(Pool[DecoderState]):
    """Streaming decoders that share one batch; see the head of this file."""

    def __init__(self, codec: Codec, capacity: int):
        self._early: dict[int, int] = {}  # samples still to come out that lie before the start of the signal
        super().__init__(codec, capacity)

    @torch.inference_mode()
    def push(self, pieces: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """Take the next frames of some streams.

        Args:
            pieces: stream -> codes [K', t] with t >= 0; K' may differ.
        Returns:
            stream -> wav [C, t * hop_length] float32; at the start of a stream less by the decoder's delay.
        Raises:
            KeyError: no such stream.
            ShapeError: too many codebooks, or an impossible code. No stream has taken anything then.
        """
        for codes in pieces.values():
            self.codec.check_codes(codes[None])
        heard = {stream: [torch.zeros(self.codec.channels, 0)] for stream in pieces}
        for n_q in sorted({len(codes) for codes in pieces.values()}):
            waiting = {stream: codes for stream, codes in pieces.items() if len(codes) == n_q}
            for stream, wavs in self._rounds(waiting, 1).items():
                heard[stream] += wavs
        return {stream: self._late(stream, torch.cat(wavs, dim=-1)) for stream, wavs in heard.items()}

    def remove(self, stream: int) -> Tensor:
        """End a stream: its last samples [C, <= delay].

        Raises:
            KeyError: no such stream.
        """
        with torch.inference_mode():
            wav = self._late(stream, self.codec.drain(self.state(stream).layers)[0])
        self.discard(stream)
        return wav

    def _late(self, stream: int, wav: Tensor) -> Tensor:
        early = min(self._early[stream], wav.shape[-1])
        self._early[stream] -= early
        return wav[:, early:]

    def _new_state(self, batch_size: int) -> State:
        return self.codec.decoder_state(batch_size)

    def _step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self.codec.decode_frames(x, state)

    def _begin(self, stream: int, state: DecoderState | None) -> None:
        self._early[stream] = self.codec.decoder.delay if state is None else state.early

    def _with_layers(self, stream: int, layers: State) -> DecoderState:
        return DecoderState(self._early[stream], layers)

    def _end(self, stream: int) -> None:
        del self._early[stream]


def _groups(streams: list[int]) -> list[list[int]]:
    """At most SIZES[-1] at a time."""
    return [streams[at : at + SIZES[-1]] for at in range(0, len(streams), SIZES[-1])]
