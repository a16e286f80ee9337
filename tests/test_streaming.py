"""A stream, cut anywhere, gives the codes and audio of the whole; its state is a value; its delay is as declared."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec import Codec, StreamingDecoder, StreamingEncoder
from audiocodec.errors import ShapeError
from tests.tiny import make_tiny_codec, make_wav

CODECS = {kind: make_tiny_codec(kind) for kind in ("spectral", "seanet")}


def stream_encode(codec: Codec, wav: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Push pieces of the given sizes, in turn, until `wav` is used up."""
    encoder, codes, at = StreamingEncoder(codec, batch_size=len(wav)), [], 0
    while at < wav.shape[-1]:
        size = sizes[len(codes) % len(sizes)]
        codes.append(encoder.push(wav[..., at : at + size]))
        at += size
    return torch.cat([*codes, encoder.flush()], dim=-1)


@pytest.mark.parametrize("kind", CODECS)
@settings(max_examples=12, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=4), length=st.integers(0, 4000), batch=st.integers(1, 3)
)
def test_any_cutting_gives_the_codes_of_the_whole(kind: str, sizes: list[int], length: int, batch: int) -> None:
    codec, wav = CODECS[kind], make_wav(0.25, batch)[..., :length]
    streamed = stream_encode(codec, wav, sizes)
    assert torch.equal(streamed if wav.shape[-1] else codec.encode(wav), codec.encode(wav))


@pytest.mark.parametrize("size", [1, 7, 1000, 1009])
def test_named_cuttings(tiny_codec: Codec, size: int) -> None:
    wav = make_wav(0.15)
    assert torch.equal(stream_encode(tiny_codec, wav, [size]), tiny_codec.encode(wav))


@pytest.mark.parametrize("kind", CODECS)
@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=5))
def test_decoded_stream_is_the_decoded_whole(kind: str, sizes: list[int]) -> None:
    codec = CODECS[kind]
    codes = torch.randint(0, 16, (2, 4, sum(sizes)), generator=torch.Generator().manual_seed(1))
    decoder = StreamingDecoder(codec, batch_size=2)
    wav = torch.cat([*(decoder.push(piece) for piece in codes.split(sizes, dim=-1)), decoder.flush()], dim=-1)
    if sum(sizes):
        torch.testing.assert_close(wav, codec.decode(codes), rtol=0, atol=1e-5)


def test_state_is_a_value(tiny_codec: Codec) -> None:
    wav = make_wav(0.3)
    encoder = StreamingEncoder(tiny_codec)
    encoder.push(wav[..., :1111])
    kept = copy.deepcopy(encoder.state)
    first = encoder.push(wav[..., 1111:])
    encoder.push(wav)  # somewhere else
    encoder.state = kept
    assert torch.equal(encoder.push(wav[..., 1111:]), first)


def test_one_stream_of_a_batch_starts_anew(tiny_codec: Codec) -> None:
    wav = make_wav(0.4, batch=2)
    encoder = StreamingEncoder(tiny_codec, batch_size=2)
    encoder.push(wav[..., :3200])
    encoder.reset(torch.tensor([False, True]))
    codes = encoder.push(wav[..., 3200:])
    assert torch.equal(codes[0], tiny_codec.encode(wav[:1])[0, :, 10:])
    assert torch.equal(codes[1], tiny_codec.encode(wav[1:, :, 3200:])[0])
    encoder.push(wav[..., :1])
    with pytest.raises(ShapeError, match="1 samples are pending"):
        encoder.reset(torch.tensor([True, False]))


def test_one_decoded_stream_starts_anew(tiny_codec: Codec) -> None:
    codes = torch.randint(0, 16, (2, 4, 6), generator=torch.Generator().manual_seed(2))
    decoder = StreamingDecoder(tiny_codec, batch_size=2)
    decoder.push(codes)
    decoder.reset(torch.tensor([True, False]))
    wav = torch.cat([decoder.push(codes), decoder.flush()], dim=-1)
    late = tiny_codec.decoder.delay
    torch.testing.assert_close(
        wav[:1, :, late:], tiny_codec.decode(codes[:1])[..., : wav.shape[-1] - late], rtol=0, atol=1e-5
    )


def test_flush_begins_a_new_stream(tiny_codec: Codec) -> None:
    wav = make_wav(0.2)
    encoder = StreamingEncoder(tiny_codec)
    once = torch.cat([encoder.push(wav), encoder.flush()], dim=-1)
    assert torch.equal(torch.cat([encoder.push(wav), encoder.flush()], dim=-1), once)


@pytest.mark.parametrize("kind", CODECS)
def test_no_sample_comes_later_than_the_declared_delay(kind: str) -> None:
    """What is pushed at sample n has left the decoder when n + delay samples have been pushed."""
    codec = CODECS[kind]
    wav = make_wav(0.4)
    whole = codec.decode(codec.encode(wav))
    encoder, decoder, out = StreamingEncoder(codec), StreamingDecoder(codec), 0
    for n in range(0, wav.shape[-1], 64):
        out += decoder.push(encoder.push(wav[..., n : n + 64])).shape[-1]
        pushed = min(n + 64, wav.shape[-1])
        assert out >= pushed - codec.delay + 1
    changed = wav.clone()
    changed[..., 3000:] += 0.5
    difference = (codec.decode(codec.encode(changed)) - whole)[0, 0]
    first = int(difference.abs().gt(1e-6).nonzero()[0])
    assert first > 3000 - codec.delay  # nothing earlier than the delay allows can know of the change


def test_wrong_shapes_are_named(tiny_codec: Codec) -> None:
    with pytest.raises(ShapeError, match=r"pushed wav of shape \[2, 1, 10\]; this stream takes \[1, 1, any\]"):
        StreamingEncoder(tiny_codec).push(torch.zeros(2, 1, 10))
    with pytest.raises(ShapeError, match=r"pushed codes of shape \[2, 4, 1\]"):
        StreamingDecoder(tiny_codec).push(torch.zeros(2, 4, 1, dtype=torch.int64))
