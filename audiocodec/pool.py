"""Many streams on one core: streams that begin and end when they like share one batch.

    pool = EncoderPool(codec, capacity=64)
    voice = pool.add()
    codes = pool.push({voice: samples, other: more_samples})   # whole frames of all of them in one pass
    last = pool.remove(voice)

A stream gives the codes that it would give alone. Its state is a value: `state` takes it out, `add` puts it in, into
this pool, another one, or one in another process (states.py). The codec may be a `Codec`, whose pools give tensors, or
an `InferenceCodec`, whose pools give NumPy arrays; both take either.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import numpy as np

from .arrays import Array, copied, joined, stacked
from .errors import CapacityError, ShapeError
from .inference.states import map_state
from .states import AnyCodec
from .streaming import DecoderState, EncoderState

S = TypeVar("S", EncoderState, DecoderState)
SomePool = TypeVar("SomePool", bound="Pool[Any]")
P = ParamSpec("P")
R = TypeVar("R")

MAX_FRAMES = 64  # of one stream in one pass: one that brings minutes at once does not hold up the others for long
MAX_STREAMS = 256  # in one pass
STEPS = 8  # sizes of a pass between a power of two and the next: few sizes, for PyTorch prepares itself for each


def _without_gradients(method: Callable[Concatenate[SomePool, P], R]) -> Callable[Concatenate[SomePool, P], R]:
    """Have the codec's library keep no record for training, as in all of inference."""

    @wraps(method)
    def quiet(self: SomePool, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.codec.without_gradients():
            return method(self, *args, **kwargs)

    return quiet


class Pool(Generic[S]):
    """What EncoderPool and DecoderPool have in common: places in a batch.

    Args:
        codec: must not be trained further while streams run.
        capacity: streams at the same time, at most.
    """

    def __init__(self, codec: AnyCodec, capacity: int):
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

    @_without_gradients
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
        map_state(lambda mine, new: _put(mine, slice(place, place + 1), new), self._layers, layers)
        self._begin(stream, state)
        return stream

    @_without_gradients
    def state(self, stream: int) -> S:
        """The stream's state: a value, which the pool does not touch again.

        Raises:
            KeyError: no such stream.
        """
        place = self._places[stream]
        return self._with_layers(stream, map_state(lambda t: copied(t[place : place + 1]), self._layers))

    def discard(self, stream: int) -> None:
        """End a stream whose last frames nobody wants.

        Raises:
            KeyError: no such stream.
        """
        self._free.append(self._places.pop(stream))
        self._end(stream)

    def _check_single(self, layers: Any) -> None:
        def check(mine: Array, given: Array) -> Array:
            if given.shape != mine.shape:
                raise ShapeError(f"a pool takes the state of one stream of its codec; got {list(given.shape)}")
            return given

        map_state(check, self._fresh, layers)

    def _rounds(self, waiting: dict[int, Array], unit: int) -> dict[int, list[Array]]:
        """Take all whole units off the fronts of `waiting` [..., n]: powers of two, the largest first, so that few
        passes of few shapes serve streams that have brought unlike amounts."""
        done: dict[int, list[Array]] = {stream: [] for stream in waiting}
        while most := max((x.shape[-1] // unit for x in waiting.values()), default=0):
            frames = min(MAX_FRAMES, 1 << (most.bit_length() - 1))
            for group in _groups([stream for stream, x in waiting.items() if x.shape[-1] >= frames * unit]):
                results = self._pass(group, [waiting[s][..., : frames * unit] for s in group])
                for stream, result in zip(group, results, strict=False):
                    done[stream].append(result)
                    waiting[stream] = waiting[stream][..., frames * unit :]
        return done

    def _pass(self, streams: list[int], pieces: list[Array]) -> Array:
        size = _size_of_pass(len(streams))
        places = [self._places[stream] for stream in streams]
        index = self.codec.as_codes(np.array(places + [self.capacity] * (size - len(streams))))
        state = map_state(lambda t: t[index], self._layers)
        y, state = self._step(stacked(pieces, size), state)
        used = index[: len(streams)]
        map_state(lambda mine, new: _put(mine, used, new[: len(streams)]), self._layers, state)
        return y

    @abstractmethod
    def _new_state(self, batch_size: int) -> Any: ...

    @abstractmethod
    def _step(self, x: Array, state: Any) -> tuple[Array, Any]: ...

    @abstractmethod
    def _begin(self, stream: int, state: S | None) -> None: ...

    @abstractmethod
    def _with_layers(self, stream: int, layers: Any) -> S: ...

    @abstractmethod
    def _end(self, stream: int) -> None: ...


class EncoderPool(Pool[EncoderState]):
    """Streaming encoders that share one batch; see the head of this file.

    Args:
        codec: must not be trained further while streams run.
        capacity: streams at the same time, at most.
        n_q: codebooks of all of them, default all.
    """

    def __init__(self, codec: AnyCodec, capacity: int, n_q: int | None = None):
        self.n_q = codec.check_n_q(n_q)
        self._rest: dict[int, Array] = {}  # [C, < hop] samples that do not fill a frame yet
        super().__init__(codec, capacity)

    @_without_gradients
    def push(self, pieces: Mapping[int, Array]) -> dict[int, Array]:
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
        waiting = {stream: joined([self._rest[stream], self.codec.as_wav(wav)]) for stream, wav in pieces.items()}
        done = self._rounds(waiting, self.codec.hop_length)
        self._rest |= {stream: copied(rest) for stream, rest in waiting.items()}
        none = self.codec.as_codes(np.zeros((self.n_q, 0), np.int64))
        return {stream: joined([none, *codes]) for stream, codes in done.items()}

    def remove(self, stream: int) -> Array:
        """End a stream: codes [n_q, 0 or 1] of its last, zero-padded frame, if one is begun.

        Raises:
            KeyError: no such stream.
        """
        rest = self._rest[stream]
        missing = self.codec.silence(1, -rest.shape[-1] % self.codec.hop_length)[0]
        codes = self.push({stream: missing})[stream]
        self.discard(stream)
        return codes

    def _new_state(self, batch_size: int) -> Any:
        return self.codec.encoder_state(batch_size)

    def _step(self, x: Array, state: Any) -> tuple[Array, Any]:
        return self.codec.encode_frames(x, state, self.n_q)

    def _begin(self, stream: int, state: EncoderState | None) -> None:
        self._rest[stream] = self.codec.silence(1, 0)[0] if state is None else copied(state.rest[0])

    def _with_layers(self, stream: int, layers: Any) -> EncoderState:
        return EncoderState(copied(self._rest[stream][None]), layers)

    def _end(self, stream: int) -> None:
        del self._rest[stream]


class DecoderPool(Pool[DecoderState]):
    """Streaming decoders that share one batch; see the head of this file."""

    def __init__(self, codec: AnyCodec, capacity: int):
        self._early: dict[int, int] = {}  # samples still to come out that lie before the start of the signal
        super().__init__(codec, capacity)

    @_without_gradients
    def push(self, pieces: Mapping[int, Array]) -> dict[int, Array]:
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
            self.codec.check_codes(self.codec.as_codes(codes)[None])
        heard = {stream: [self.codec.silence(1, 0)[0]] for stream in pieces}
        for n_q in sorted({len(codes) for codes in pieces.values()}):
            waiting = {stream: self.codec.as_codes(codes) for stream, codes in pieces.items() if len(codes) == n_q}
            for stream, wavs in self._rounds(waiting, 1).items():
                heard[stream] += wavs
        return {stream: self._late(stream, joined(wavs)) for stream, wavs in heard.items()}

    @_without_gradients
    def remove(self, stream: int) -> Array:
        """End a stream: its last samples [C, <= delay].

        Raises:
            KeyError: no such stream.
        """
        wav = self._late(stream, self.codec.drain(self.state(stream).layers)[0])
        self.discard(stream)
        return wav

    def _late(self, stream: int, wav: Array) -> Array:
        early = min(self._early[stream], wav.shape[-1])
        self._early[stream] -= early
        return wav[:, early:]

    def _new_state(self, batch_size: int) -> Any:
        return self.codec.decoder_state(batch_size)

    def _step(self, x: Array, state: Any) -> tuple[Array, Any]:
        return self.codec.decode_frames(x, state)

    def _begin(self, stream: int, state: DecoderState | None) -> None:
        self._early[stream] = self.codec.decoder.delay if state is None else state.early

    def _with_layers(self, stream: int, layers: Any) -> DecoderState:
        return DecoderState(self._early[stream], layers)

    def _end(self, stream: int) -> None:
        del self._early[stream]


def _put(mine: Array, places: Any, new: Array) -> Array:
    mine[places] = new
    return mine


def _size_of_pass(n: int) -> int:
    """`n` or a little more."""
    step = max(1, (1 << (n - 1).bit_length()) // 2 // STEPS)
    return -(-n // step) * step


def _groups(streams: list[int]) -> list[list[int]]:
    """At most MAX_STREAMS at a time."""
    return [streams[at : at + MAX_STREAMS] for at in range(0, len(streams), MAX_STREAMS)]
