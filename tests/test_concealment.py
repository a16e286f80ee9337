"""Gaps: the right number of finite samples, no change without one, forgotten after one, silent when long."""

import copy

import pytest
import torch

from audiocodec import Codec, StreamingDecoder
from audiocodec.concealment import ConcealingDecoder
from audiocodec.errors import ConfigError, ShapeError
from audiocodec.frozen import Frozen
from audiocodec.streaming import decoder_memory
from tests.tiny import make_tiny_codec, make_wav

CODECS = {kind: make_tiny_codec(kind) for kind in ("spectral", "seanet")}
HOP = 320


def codes_of(codec: Codec, seconds: float = 1.2, batch: int = 2) -> torch.Tensor:
    return codec.encode(make_wav(seconds, batch))


@pytest.mark.parametrize("kind", CODECS)
def test_without_a_gap_nothing_changes(kind):
    codec = CODECS[kind]
    codes = codes_of(codec)
    plain, concealing = StreamingDecoder(codec, 2), ConcealingDecoder(codec, 2)
    for piece in codes.split([1, 7, 0, 30, 22], dim=-1):
        assert torch.equal(concealing.push(piece), plain.push(piece))
    assert torch.equal(concealing.flush(), plain.flush())


@pytest.mark.parametrize("kind", CODECS)
@pytest.mark.parametrize("gaps", [[(0, 3)], [(10, 1)], [(4, 2), (8, 5)], [(20, 12)]])
def test_gaps_cost_no_time_and_are_forgotten(kind, gaps):
    codec = CODECS[kind]
    codes = codes_of(codec)
    decoder, pieces, at = ConcealingDecoder(codec, 2), [], 0
    for start, length in gaps:
        pieces += [decoder.push(codes[..., at:start]), decoder.conceal(length)]
        at = start + length
    wav = torch.cat([*pieces, decoder.push(codes[..., at:]), decoder.flush()], dim=-1)
    whole = codec.decode(codes)
    assert wav.shape == whole.shape and wav.isfinite().all() and wav.abs().max() < 2 * whole.abs().max()
    first, memory = gaps[0][0] * HOP, decoder_memory(codec) * HOP
    begin = first - codec.decoder.delay
    torch.testing.assert_close(wav[..., : max(0, begin)], whole[..., : max(0, begin)], rtol=0, atol=1e-5)
    clean = at * HOP + memory
    assert clean < wav.shape[-1]
    torch.testing.assert_close(wav[..., clean:], whole[..., clean:], rtol=0, atol=1e-4)


def test_a_gap_in_pieces_is_the_gap_at_once():
    codec = CODECS["spectral"]
    codes = codes_of(codec)
    one, many = ConcealingDecoder(codec, 2), ConcealingDecoder(codec, 2)
    one.push(codes), many.push(codes)
    pieces = torch.cat([many.conceal(n) for n in (1, 2, 0, 4)], dim=-1)
    torch.testing.assert_close(pieces, one.conceal(7), rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", CODECS)
def test_a_long_gap_becomes_what_silence_decodes_to(kind):
    codec = CODECS[kind]
    decoder = ConcealingDecoder(codec)
    decoder.push(codes_of(codec, batch=1))
    tail = decoder.conceal(100)[..., -HOP * 20 :]
    silence = codec.decode(codec.encode(torch.zeros(1, 1, HOP * 200)))[..., -HOP * 20 :]
    torch.testing.assert_close(tail, silence, rtol=0, atol=2e-3)


@torch.inference_mode()
def test_the_last_frame_is_held_and_then_fades_to_silence(monkeypatch):
    codec = make_tiny_codec("spectral")
    codes, seen = codes_of(codec, batch=1)[..., :20], []
    decoder = ConcealingDecoder(codec, fade_frames=4)
    decoder.push(codes)
    decode = Frozen.decode
    monkeypatch.setattr(Frozen, "decode", lambda self, z, state: seen.append(z) or decode(self, z, state))
    for n in (2, 1, 4):
        decoder.conceal(n)
    z = torch.cat(seen, dim=-1)
    last = codec.frozen().latents(codes[..., -1:])
    silence = codec.frozen().latents(codec.encode(torch.zeros(1, 1, 100 * HOP))[..., -1:])
    assert torch.equal(z[..., :1], last)  # as loud as before
    torch.testing.assert_close(z[..., 4:], silence.expand(-1, -1, 3))
    distance = (z - silence).norm(dim=1)[0]
    assert (distance[1:5] < distance[:4]).all()


def test_a_frame_known_to_come_is_led_over_to():
    codec = CODECS["spectral"]
    codes = codes_of(codec, batch=1)
    blind, seeing = ConcealingDecoder(codec), ConcealingDecoder(codec)
    for decoder in (blind, seeing):
        decoder.push(codes[..., :20])
    held, led = blind.conceal(1), seeing.conceal(1, until=codes[..., 21:22])
    assert held.shape == led.shape and not torch.equal(held, led)
    same = ConcealingDecoder(codec)
    same.push(codes[..., :20])
    until_itself = same.conceal(1, until=codes[..., 19:20])  # between a frame and itself lies that frame
    torch.testing.assert_close(until_itself, held, rtol=0, atol=1e-5)


def test_state_is_a_value_and_single_streams_start_anew():
    codec = CODECS["spectral"]
    codes = codes_of(codec)
    decoder = ConcealingDecoder(codec, 2)
    decoder.push(codes[..., :20])
    decoder.conceal(2)
    kept = copy.deepcopy(decoder.state.to("cpu"))
    first = decoder.conceal(3)
    decoder.state = kept
    assert torch.equal(decoder.conceal(3), first)
    decoder.state = kept
    decoder.reset(torch.tensor([True, False]))
    fresh = ConcealingDecoder(codec, 2)
    after, expected = decoder.conceal(2), fresh.conceal(2)
    torch.testing.assert_close(after[0, :, codec.decoder.delay :], expected[0, :, : 2 * HOP - codec.decoder.delay])
    decoder.reset()
    assert torch.equal(decoder.push(codes), fresh._fresh() and ConcealingDecoder(codec, 2).push(codes))


@pytest.mark.parametrize("kind", CODECS)
def test_the_memory_of_a_decoder_is_as_long_as_it_says(kind):
    codec = CODECS[kind]
    memory = decoder_memory(codec)
    assert 0 <= memory < 60
    codes = codes_of(codec, batch=1)
    other = codes.clone()
    other[..., 5] = (other[..., 5] + 7) % codec.codebook_size
    change = (codec.decode(codes) - codec.decode(other)).abs().amax((0, 1))
    last = int(torch.nonzero(change > 1e-6)[-1])
    assert (5 + memory) * HOP <= last + codec.decoder.delay < (5 + memory + 1) * HOP


def test_wrong_arguments_are_named():
    codec = CODECS["spectral"]
    with pytest.raises(ConfigError, match="fade_frames"):
        ConcealingDecoder(codec, fade_frames=0)
    with pytest.raises(ShapeError):
        ConcealingDecoder(codec).conceal(1, until=torch.zeros(1, 9, 1, dtype=torch.int64))
