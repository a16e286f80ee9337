"""egs/packet_loss: without loss every way gives the decoded file; nothing is measured twice."""

import numpy as np
import pytest
import soundfile as sf

from audiocodec import Codec
from tests.egs.scripts import EGS, imported
from tests.tiny import make_wav


@pytest.fixture(scope="module")
def scripts():
    with imported("packet_loss", "receivers", "report", "measure") as modules:
        yield modules


@pytest.fixture(scope="module")
def model(tiny_codec, tmp_path_factory) -> str:
    """A folder with the tiny codec."""
    return str(tiny_codec.save_pretrained(tmp_path_factory.mktemp("loss") / "model"))


@pytest.fixture
def wav() -> np.ndarray:
    return make_wav(1.5)[0, 0].numpy().astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"wait": True}, {"copies": 2}])
def test_without_loss_every_way_gives_the_decoded_file(scripts, model, wav, options) -> None:
    system = scripts["receivers"].Ours("ours", "ours", model, **options)
    packets = system.send(wav)
    heard = system.receive(packets, np.zeros(len(packets), bool))
    codec = Codec.from_pretrained(model)
    codes = codec.encode(make_wav(1.5), n_q=system._sender().info.n_q)
    np.testing.assert_allclose(heard[: len(wav)], codec.decode(codes, len(wav))[0, 0].numpy(), rtol=0, atol=1e-5)


def test_what_came_before_a_loss_is_untouched_and_silence_falls_at_once(scripts, model, wav) -> None:
    receivers = scripts["receivers"]
    whole = receivers.Ours("ours", "ours", model)
    muted = receivers.Ours("muted", "muted", model, decoder=receivers.Muted)
    packets = whole.send(wav)
    lost = np.zeros(len(packets), bool)
    lost[40:] = True
    clean = whole.receive(packets, np.zeros(len(packets), bool))
    until = 39 * 320  # the last frame that came shares its second half with the first that did not
    np.testing.assert_allclose(muted.receive(packets, lost)[:until], clean[:until], rtol=0, atol=1e-5)
    after = muted.receive(packets, lost)[60 * 320 : 70 * 320]
    assert np.abs(after).mean() < np.abs(whole.receive(packets, lost)[41 * 320 : 44 * 320]).mean() + 1e-3


def test_a_recording_is_measured_once_and_reported(scripts, model, tmp_path, monkeypatch) -> None:
    measure, receivers = scripts["measure"], scripts["receivers"]
    curves = [receivers.Ours("ours", "ours", model)]
    monkeypatch.setattr(measure, "CURVES", curves)
    monkeypatch.setattr(measure, "WAYS", [])
    monkeypatch.setattr(measure, "RATES", (0.0, 0.3))
    monkeypatch.setattr(measure, "SECONDS", 3.0)
    path = EGS / "samples" / "kerstin_0347.flac"
    records = measure.measure((path, set(), float("inf")))
    assert [(r["channel"], r["loss"]) for r in records] == [("uniform", 0.0), ("uniform", 0.3), ("bursts", 0.3)]
    assert records[0]["lost"] == 0 < records[1]["lost"] < 0.6
    assert records[0]["stoi"] > records[1]["stoi"]
    known = {(r["system"], r["version"], r["channel"], r["loss"]) for r in records}
    assert measure.measure((path, known, float("inf"))) == []
    scripts["report"].write_report(records, curves, [], {"ours": curves[0].version()}, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loss.json", "loss.md", "loss.png"]
    assert f"{records[0]['stoi']:.3f}" in (tmp_path / "loss.md").read_text()


def test_recordings_are_spread_over_the_list_and_long_enough(scripts, tmp_path) -> None:
    for number in range(7):
        sf.write(tmp_path / f"{number}.wav", np.zeros(16000 * (2 if number % 2 else 4)), 16000)
    found = [path.stem for path in scripts["measure"].recordings(str(tmp_path), 2)]
    assert found == ["0", "4"]
