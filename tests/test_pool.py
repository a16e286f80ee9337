"""Streams that share a batch give what each gives alone, whenever they begin and end; their states move about."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec import Codec, DecoderPool, EncoderPool, StreamingDecoder, StreamingEncoder
from audiocodec.errors import CapacityError, ShapeError
from tests.tiny import make_tiny_codec, make_wav

CODECS = {kind: make_tiny_codec(kind) for kind in ("spectral", "seanet")}
WAVS = make_wav(0.5, batch=4)
CODES = torch.randint(0, 16, (4, 4, 25), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", CODECS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_streams_that_come_and_go_are_coded_as_alone(kind: str, data: st.DataObject) -> None:
    """Three places, four voices: in every turn any of them begins, pushes any number of samples, or ends."""
    codec = CODECS[kind]
    pool = EncoderPool(codec, capacity=3)
    at, streams, parts, lengths = [0] * 4, dict[int, int](), [list[torch.Tensor]() for _ in range(4)], dict[int, int]()
    for _ in range(data.draw(st.integers(1, 8))):
        outside = [v for v in range(4) if v not in streams and v not in lengths]
        if outside and len(pool) < 3 and data.draw(st.booleans()):
            streams[outside[0]] = pool.add()
        sizes = {voice: data.draw(st.integers(0, 1500)) for voice in streams}
        pieces = {streams[v]: WAVS[v, :, at[v] : at[v] + n] for v, n in sizes.items()}
        codes = pool.push(pieces)
        for voice, n in sizes.items():
            parts[voice].append(codes[streams[voice]])
            at[voice] = min(at[voice] + n, WAVS.shape[-1])
        if streams and data.draw(st.booleans()):
            voice = next(iter(streams))
            parts[voice].append(pool.remove(streams.pop(voice)))
            lengths[voice] = at[voice]
    for voice, length in lengths.items():
        alone = codec.encode(WAVS[voice : voice + 1, :, :length])[0]
        assert torch.equal(torch.cat(parts[voice], dim=-1), alone)
    assert len(pool) == len(streams)


@pytest.mark.parametrize("kind", CODECS)
def test_decoded_in_a_pool_is_decoded_alone(kind: str) -> None:
    codec = CODECS[kind]
    pool = DecoderPool(codec, capacity=4)
    streams = [pool.add() for _ in range(4)]
    prefixes = [4, 2, 4, 1]
    parts: list[list[torch.Tensor]] = [[] for _ in streams]
    at = [0] * 4
    for turn in range(12):
        take = {i: CODES[i, : prefixes[i], at[i] : at[i] + (turn * (i + 1)) % 5] for i in range(4) if turn >= 2 * i}
        for i, wav in ((i, pool.push({streams[i]: codes})[streams[i]]) for i, codes in list(take.items())[:1]):
            parts[i].append(wav)
        several = {streams[i]: codes for i, codes in list(take.items())[1:]}
        for stream, wav in pool.push(several).items():
            parts[streams.index(stream)].append(wav)
        for i, codes in take.items():
            at[i] += codes.shape[-1]
    for i, stream in enumerate(streams):
        wav = torch.cat([*parts[i], pool.remove(stream)], dim=-1)
        torch.testing.assert_close(wav, codec.decode(CODES[i : i + 1, : prefixes[i], : at[i]])[0], rtol=0, atol=1e-5)
    assert len(pool) == 0


def test_one_that_brings_much_does_not_wait_for_the_others(tiny_codec: Codec) -> None:
    wav = make_wav(6.0, batch=2)
    pool = EncoderPool(tiny_codec, capacity=2)
    long, short = pool.add(), pool.add()
    codes = pool.push({long: wav[0], short: wav[1, :, :700]})
    assert torch.equal(codes[long], tiny_codec.encode(wav[:1])[0])
    assert torch.equal(codes[short], tiny_codec.encode(wav[1:, :, :640])[0])


def test_states_move_between_sessions_and_pools(tiny_codec: Codec) -> None:
    """A stream begun in a session goes on in a pool, then in another pool, then in a session, and nobody can tell."""
    wav = make_wav(0.6)
    session = StreamingEncoder(tiny_codec)
    parts = [session.push(wav[..., :1111])[0]]
    first, second = EncoderPool(tiny_codec, 2), EncoderPool(tiny_codec, 5)
    for _ in range(3):
        second.add()
    stream = first.add(session.state)
    parts.append(first.push({stream: wav[0, :, 1111:3000]})[stream])
    moved = second.add(first.state(stream))
    first.push({stream: wav[0]})  # goes on elsewhere, without a trace in the state that was taken
    parts.append(second.push({moved: wav[0, :, 3000:5003]})[moved])
    session.state = second.state(moved)
    parts += [session.push(wav[..., 5003:])[0], session.flush()[0]]
    assert torch.equal(torch.cat(parts, dim=-1), tiny_codec.encode(wav)[0])


def test_decoder_states_move_too(tiny_codec: Codec) -> None:
    session, pool = StreamingDecoder(tiny_codec), DecoderPool(tiny_codec, 2)
    stream = pool.add()
    parts = [pool.push({stream: CODES[0, :, :7]})[stream]]
    session.state = pool.state(stream)
    parts += [session.push(CODES[:1, :, 7:])[0], session.flush()[0]]
    torch.testing.assert_close(torch.cat(parts, dim=-1), tiny_codec.decode(CODES[:1])[0], rtol=0, atol=1e-5)


def test_a_full_pool_refuses_and_a_place_is_clean_when_it_is_free_again(tiny_codec: Codec) -> None:
    pool = EncoderPool(tiny_codec, capacity=2)
    streams = [pool.add(), pool.add()]
    pool.push(dict.fromkeys(streams, WAVS[0, :, :1000]))
    with pytest.raises(CapacityError, match="all 2 places"):
        pool.add()
    pool.discard(streams[0])
    new = pool.add()
    assert new not in streams
    assert torch.equal(pool.push({new: WAVS[1]})[new], tiny_codec.encode(WAVS[1:2])[0])
    with pytest.raises(KeyError):
        pool.push({streams[0]: WAVS[0]})
    with pytest.raises(KeyError):
        pool.state(streams[0])


def test_a_wrong_piece_changes_no_stream(tiny_codec: Codec) -> None:
    pool = EncoderPool(tiny_codec, capacity=2)
    good, bad = pool.add(), pool.add()
    with pytest.raises(ShapeError, match=r"pushed \[2, 500\]; expected \[1, any\]"):
        pool.push({good: WAVS[0], bad: torch.zeros(2, 500)})
    assert torch.equal(pool.push({good: WAVS[0]})[good], tiny_codec.encode(WAVS[:1])[0])
    with pytest.raises(ShapeError, match="state of one stream"):
        pool.discard(bad)
        pool.add(StreamingEncoder(tiny_codec, batch_size=3).state)
