"""A stream's state as bytes: comes back equal, in another process too; damaged or foreign bytes are refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from audiocodec import Codec, StreamingDecoder, StreamingEncoder
from audiocodec.errors import BitstreamError, ModelMismatchError
from audiocodec.streaming import DecoderState, EncoderState
from tests.tiny import make_tiny_codec, make_wav

OTHER_PROCESS = """
import sys
from pathlib import Path
import torch
from audiocodec import Codec, StreamingEncoder
from audiocodec.streaming import EncoderState
from tests.tiny import make_wav
folder = Path(sys.argv[1])
codec = Codec.from_pretrained(folder / "model")
encoder = StreamingEncoder(codec, batch_size=2)
encoder.state = EncoderState.from_bytes((folder / "state").read_bytes(), codec)
codes = torch.cat([encoder.push(make_wav(0.4, batch=2)[..., 2222:]), encoder.flush()], dim=-1)
(folder / "codes").write_bytes(codes.numpy().tobytes())
"""


@pytest.mark.parametrize("kind", ["spectral", "seanet"])
def test_bytes_bring_back_the_state(kind: str) -> None:
    codec, wav = make_tiny_codec(kind), make_wav(0.4, batch=2)
    encoder, decoder = StreamingEncoder(codec, batch_size=2), StreamingDecoder(codec, batch_size=2)
    codes = encoder.push(wav[..., :2000])
    decoder.push(codes)
    encoded, decoded = encoder.state.to_bytes(codec), decoder.state.to_bytes(codec)
    rest = encoder.push(wav[..., 2000:])
    heard = decoder.push(rest)
    encoder.state, decoder.state = EncoderState.from_bytes(encoded, codec), DecoderState.from_bytes(decoded, codec)
    assert torch.equal(encoder.push(wav[..., 2000:]), rest)
    assert torch.equal(decoder.push(rest), heard)


def test_a_stream_goes_on_in_another_process(tmp_path: Path, tiny_codec: Codec) -> None:
    tiny_codec.save_pretrained(tmp_path / "model")
    wav = make_wav(0.4, batch=2)
    encoder = StreamingEncoder(tiny_codec, batch_size=2)
    before = encoder.push(wav[..., :2222])
    (tmp_path / "state").write_bytes(encoder.state.to_bytes(tiny_codec))
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, str(tmp_path)], check=True)
    whole = tiny_codec.encode(wav)
    after = torch.frombuffer(bytearray((tmp_path / "codes").read_bytes()), dtype=torch.int64)
    assert torch.equal(torch.cat([before, after.view(2, 4, -1)], dim=-1), whole)


def test_what_is_no_state_of_this_stream_is_refused(tiny_codec: Codec) -> None:
    data = StreamingEncoder(tiny_codec).state.to_bytes(tiny_codec)
    with pytest.raises(ModelMismatchError, match="the state belongs to model"):
        EncoderState.from_bytes(data, make_tiny_codec(seed=1))
    with pytest.raises(BitstreamError, match="this is a EncoderState; wanted DecoderState"):
        DecoderState.from_bytes(data, tiny_codec)
    for bad in (b"", data[:20], data[:-1], data[:8] + b"x" * 60 + data[68:]):
        with pytest.raises(BitstreamError):
            EncoderState.from_bytes(bad, tiny_codec)


def test_a_state_says_in_which_precision_it_was_computed(tiny_codec: Codec) -> None:
    exact = Codec(tiny_codec.config, tiny_codec.name, precision=torch.float64).eval()
    exact.load_state_dict(tiny_codec.state_dict())
    data = StreamingEncoder(exact).state.to_bytes(exact)
    if tiny_codec.frozen().precision != torch.float64:
        with pytest.raises(ModelMismatchError, match="float64"):
            EncoderState.from_bytes(data, tiny_codec)
    assert EncoderState.from_bytes(data, exact).rest.shape == (1, 1, 0)
