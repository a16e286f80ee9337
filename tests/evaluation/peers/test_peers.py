"""Every peer that this machine can run: near its nominal rate, about as long as the original, and recognisably it."""

import numpy as np
import pytest

from audiocodec.errors import ConfigError
from audiocodec.evaluation.measure import code
from audiocodec.evaluation.peers import DEFAULTS, known, parse
from audiocodec.evaluation.peers import opus as opus_module
from audiocodec.evaluation.peers.ffmpeg import Ffmpeg
from audiocodec.evaluation.peers.lyra import Lyra
from audiocodec.evaluation.peers.opus import Opus
from audiocodec.evaluation.systems import MissingError
from audiocodec.metrics import pesq_wb, si_sdr, stoi

RATE = 16000
RUNS = [  # name, kbit/s, and the least STOI that it should reach on clean speech
    ("opus_9k", 9, 0.9),
    ("opus_24k", 24, 0.97),
    ("amrwb_6.6k", 6.6, 0.88),
    ("amrwb_23.85k", 23.85, 0.97),
    ("speex_q1", 5.8, 0.8),
    ("speex_q6", 20.6, 0.95),
    ("codec2_3.2k", 3.2, 0.75),
    ("codec2_0.7k", 0.7, 0.6),
    ("lc3_16k", 16, 0.93),
    ("mp3_16k", 16, 0.93),
    pytest.param("aac_16k", 17, 0.93, marks=pytest.mark.slow),
    pytest.param("g722_64k", 64, 0.99, marks=pytest.mark.slow),
    ("lyra_3.2k", 3.2, 0.85),
    ("pcm16", 256, 0.9999),
]


def present(name):
    (system,) = parse(name)
    try:
        system.version()
    except MissingError as error:
        pytest.skip(str(error))
    return system


@pytest.mark.parametrize(("name", "kbit_s", "least_stoi"), RUNS)
def test_a_peer_does_what_its_name_says(speech, name, kbit_s, least_stoi):
    system = present(name)
    aligned, coded = code(speech, RATE, system)
    assert system.name == name
    assert coded.n_bits / (len(speech) / RATE) / 1000 == pytest.approx(kbit_s, rel=0.2)
    assert stoi(speech, aligned.signal, RATE) > least_stoi
    assert abs(aligned.length_difference) < 0.12 * RATE and abs(aligned.delay) < 0.1 * RATE
    assert coded.encode_s > 0 or name == "pcm16"


def test_more_bits_sound_better(speech):
    systems = [present(name) for name in ("opus_9k", "opus_12k", "opus_24k")]
    scores = [pesq_wb(speech, code(speech, RATE, system)[0].signal, RATE) for system in systems]
    assert scores == sorted(scores) and scores[-1] - scores[0] > 0.5


def test_pcm_is_the_ceiling(speech):
    aligned, _ = code(speech, RATE, present("pcm16"))
    assert pesq_wb(speech, aligned.signal, RATE) > 4.6 and si_sdr(speech, aligned.signal, RATE) > 50


def test_wideband_opus_at_six_kbit_is_wideband_and_worse(speech):
    """Narrow band is what the encoder chooses there, and rightly."""
    plain, wide = (code(speech, RATE, present(name))[0].signal for name in ("opus_6k", "opus_6k_wb"))
    assert pesq_wb(speech, plain, RATE) > pesq_wb(speech, wide, RATE)


def test_post_filters_are_refused_where_libopus_has_none(monkeypatch):
    present("opus_9k")
    monkeypatch.setattr(opus_module, "_has_post_filters", lambda: False)
    with pytest.raises(MissingError, match=r"no neural post-filter; set AUDIOCODEC_LIBOPUS"):
        Opus(9000, post_filter="nolace").version()


def test_a_library_that_is_not_there_is_named_with_its_cure(monkeypatch):
    opus_module._library.cache_clear()
    monkeypatch.setenv("AUDIOCODEC_LIBOPUS", "/nowhere/libopus.so")
    try:
        with pytest.raises(MissingError, match=r"/nowhere/libopus.so cannot be loaded.*libopus0"):
            Opus().version()
    finally:
        opus_module._library.cache_clear()


def test_weights_that_are_not_there_are_named_with_their_cure(tmp_path):
    with pytest.raises(MissingError, match="AUDIOCODEC_LYRA"):
        Lyra(3200, "").version()
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(MissingError, match=r"lacks soundstream_encoder.tflite, quantizer.tflite, lyragan.tflite"):
        Lyra(3200, str(tmp_path)).version()


def test_a_program_that_is_not_there_is_named_with_its_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="ffmpeg is not on the PATH"):
        Ffmpeg("mp3", 24000).encode(np.zeros(320, np.float32))


def test_parse_takes_families_settings_and_all():
    assert [system.name for system in parse("amrwb_6.6k, opus_9k,amrwb_6.6k")] == ["amrwb_6.6k", "opus_9k"]
    assert [system.name for system in parse("opus")] == list(DEFAULTS["opus"])
    assert len(parse("all")) == sum(map(len, DEFAULTS.values()))
    assert parse("") == []
    with pytest.raises(ConfigError, match=r"unknown peer 'opus_7k'; families: opus, "):
        parse("opus_9k,opus_7k")


def test_every_system_goes_by_its_own_name():
    table = known("")
    assert all(name == system.name for name, system in table.items()) and len(table) > 80


def test_lyras_folder_reaches_lyra():
    (system,) = parse("lyra_6k", "some/folder")
    assert system == Lyra(6000, "some/folder")
