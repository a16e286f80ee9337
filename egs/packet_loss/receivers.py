"""What is compared: ways to send our codes and to conceal gaps in them, and Opus with its own concealment."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audiocodec import Codec
from audiocodec.bitstream.jitter import JitterBuffer
from audiocodec.bitstream.transport import Packetizer, Redundancy, read_session
from audiocodec.compress.models import choose_n_q, tables_of
from audiocodec.compress.streams import stream_info
from audiocodec.concealment import ConcealingDecoder
from audiocodec.evaluation.peers.opus import Opus
from audiocodec.shapes import Codes, Wav

RATE_HZ = 16_000


class Muted(ConcealingDecoder):
    """Silence at once."""

    def _estimate(self, n_frames: int, after: Tensor | None) -> Tensor:
        return self._silence.expand(self.batch_size, -1, n_frames)


class Held(ConcealingDecoder):
    """The last frame again and again."""

    def _estimate(self, n_frames: int, after: Tensor | None) -> Tensor:
        return self.state.last.expand(-1, -1, n_frames)


class HeldCoarse(ConcealingDecoder):
    """The first four codebooks of the last frame, fading."""

    def push(self, codes: Codes) -> Wav:
        """Also remember the coarse part."""
        wav = super().push(codes)
        self.coarse = self._networks.latents(codes[:, :4, -1:])
        return wav

    def _estimate(self, n_frames: int, after: Tensor | None) -> Tensor:
        gains = self._gains(self.state.gap, n_frames, self._silence)
        return self._silence + gains * (self.coarse - self._silence)


class PitchRepeated(ConcealingDecoder):
    """The last pitch period of the waveform repeated, faded and encoded again (waveform substitution, G.711 App. I)."""

    HISTORY, LONGEST = 8, 8  # frames

    def push(self, codes: Codes) -> Wav:
        """Also remember the waveform."""
        return self._heard(super().push(codes))

    def conceal(self, n_frames: int = 1, until: Codes | None = None) -> Wav:
        """One frame after the other."""
        return torch.cat([self._heard(super(PitchRepeated, self).conceal(1)) for _ in range(n_frames)], dim=-1)

    def _heard(self, wav: Wav) -> Wav:
        known = getattr(self, "heard", wav.new_zeros(1, 1, self.HISTORY * self.codec.hop_length))
        self.heard = torch.cat([known, wav], dim=-1)[..., -known.shape[-1] :]
        return wav

    def _estimate(self, n_frames: int, after: Tensor | None) -> Tensor:
        hop, gap, frozen = self.codec.hop_length, self.state.gap, self._networks
        if gap >= self.LONGEST:
            return self._silence
        if gap == 0:  # the half of the last frame that is known already, as if the frame were held, and on from there
            known = torch.cat([self.heard, self._networks.decode(self.state.last, self.state.layers)[0]], dim=-1)
            self.base = known[..., -self.HISTORY * hop :]
            self.tail = _repeat_period(self.base, (self.LONGEST + 1) * hop)
        wav = torch.cat([self.base, self.tail[..., : (gap + 1) * hop - self._missing(hop)]], dim=-1)
        wav = wav[..., -self.HISTORY * hop :].to(frozen.precision)
        return frozen.encoder.step(wav, frozen.encoder_state(1))[0][..., -1:].float()

    def _missing(self, hop: int) -> int:
        return hop - self.codec.decoder.delay  # samples by which the base reaches further than the frame before


def _repeat_period(wav: Wav, n: int) -> Wav:
    """[1, 1, n] samples that go on with the last period of 2 to 20 ms, held for 20 ms and faded over 80."""
    x = wav[0, 0]
    recent = x[-320:]
    scores = [
        float(recent @ x[-320 - lag : -lag]) / (float(x[-320 - lag : -lag].norm()) + 1e-6) for lag in range(32, 321)
    ]
    lag = 32 + int(np.argmax(scores))
    gain = (1 - (torch.arange(n) - 320) / 1280).clamp(0, 1)
    return (x[-lag:].repeat(n // lag + 1)[:n] * gain)[None, None]


class System(ABC):
    """A sender and a receiver: `send` once, `receive` after any loss."""

    label: str
    name: str

    @abstractmethod
    def version(self) -> str:
        """What a result depends on."""

    @abstractmethod
    def send(self, wav: NDArray[np.float32]) -> list[bytes]:
        """Datagrams of 20 ms each of [L] at 16 kHz."""

    @abstractmethod
    def receive(self, packets: list[bytes], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
        """[at least L] samples."""


@dataclass(frozen=True)
class Ours(System):
    """A model of this package in datagrams of one frame."""

    name: str
    label: str
    model: str
    bitrate: float = 6000.0
    copies: int = 0  # coarse codebooks of the packet before that go along
    wait: bool = False  # one packet more before a frame is decoded, so that the next may be known
    decoder: type[ConcealingDecoder] = ConcealingDecoder

    def version(self) -> str:
        codec = _codec(self.model)
        tables = tables_of(codec)
        return f"{codec.weights_sha256[:12]} {tables.id.hex() if tables else 'no tables'}"

    def _sender(self) -> Packetizer:
        codec = _codec(self.model)
        info = stream_info(codec, choose_n_q(codec, 1, self.bitrate, None), RATE_HZ, 1, None)
        copies = [Redundancy(self.copies)] if self.copies else []
        return Packetizer(info, redundancy=copies, tables=tables_of(codec))

    def send(self, wav: NDArray[np.float32]) -> list[bytes]:
        sender = self._sender()
        return sender.push(_codes(self.model, sender.info.n_q, wav.tobytes()))

    def receive(self, packets: list[bytes], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
        codec, late = _codec(self.model), int(self.wait or self.copies > 0)
        buffer = JitterBuffer(read_session(self._sender().header), tables=tables_of(codec))
        decoder, pieces, run = self.decoder(codec), [], []
        for now in range(len(packets) + late):
            if now < len(packets) and not lost[now]:
                buffer.put(packets[now])
            if now < late:
                continue
            codes = buffer.take()
            if run and (codes is None or codes.shape != run[-1].shape):
                pieces.append(decoder.push(_tensor(run)))  # all at once: the same samples in less time
                run = []
            if codes is not None:
                run.append(codes)
                continue
            coming = buffer.peek() if late else None
            pieces.append(decoder.conceal(1, None if coming is None else _tensor([coming])))
        pieces += [decoder.push(_tensor(run))] if run else []
        wav: NDArray[np.float32] = torch.cat([*pieces, decoder.flush()], dim=-1)[0, 0].numpy()
        return wav


def _tensor(run: list[NDArray[np.integer]]) -> Tensor:
    return torch.from_numpy(np.concatenate(run, axis=2).astype(np.int64))


@dataclass(frozen=True)
class OpusCall(System):
    """libopus, variable rate, 20 ms, with its own concealment."""

    name: str
    label: str
    bitrate: int
    deep: bool = False

    def version(self) -> str:
        opus = Opus(self.bitrate)
        if not self.deep:
            return opus.version()
        return Opus(self.bitrate, post_filter="nolace").version()  # says so where a library has no networks

    def send(self, wav: NDArray[np.float32]) -> list[bytes]:
        packets, lookahead = Opus(self.bitrate).encode(wav).payload
        return [lookahead.to_bytes(2, "little"), *packets]

    def receive(self, packets: list[bytes], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
        from audiocodec.evaluation.systems import Encoded

        lookahead = int.from_bytes(packets[0], "little")
        encoded = Encoded((packets[1:], lookahead), 0)
        return Opus(self.bitrate).decode_lossy(encoded, lost, self.deep)


@lru_cache(maxsize=1)
def _codes(model: str, n_q: int, wav: bytes) -> NDArray[np.int64]:
    """Codes of a recording, for all systems that send them."""
    samples = torch.frombuffer(bytearray(wav), dtype=torch.float32)
    return _codec(model).encode(samples[None, None], n_q=n_q).numpy()


@cache
def _codec(model: str) -> Codec:
    torch.set_num_threads(1)
    return Codec.from_pretrained(model)
