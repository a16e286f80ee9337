"""The self-test passes on good metrics, and fails on one that lies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiocodec.evaluation.selftest import falls, low_pass, main, noisy, run
from audiocodec.metrics import mel_distance, si_sdr, stft_distance

RATE = 16000
SAMPLE = Path(__file__).parents[2] / "egs" / "samples" / "librispeech_2002.flac"


def test_quick_metrics_keep_their_promises(speech):
    checks = run(speech, RATE, [mel_distance, stft_distance, si_sdr])
    assert len(checks) >= 9 and all(check.kept for check in checks)


def test_a_metric_turned_round_is_found_out(speech):
    checks = run(speech, RATE, [replace(si_sdr, function=lambda a, b, rate: -si_sdr(a, b, rate))])
    assert not any(check.kept for check in checks)


def test_a_metric_that_always_answers_the_same_is_found_out(speech):
    checks = run(speech, RATE, [replace(mel_distance, function=lambda a, b, rate: 0.0)])
    assert [check.kept for check in checks] == [True, *[False] * (len(checks) - 1)]


@pytest.mark.slow
def test_the_command_passes_on_the_core_set(capsys):
    assert main([str(SAMPLE)]) == 0
    assert "0 broken" in capsys.readouterr().out


def test_the_command_tells_a_file_that_is_none(tmp_path, capsys):
    (tmp_path / "x.wav").write_text("no sound")
    assert main([str(tmp_path / "x.wav")]) == 1
    assert "not a readable recording" in capsys.readouterr().err


def test_noise_has_the_ratio_asked_for(speech):
    for ratio, signal in zip((20, 0), noisy(speech, (20, 0)), strict=True):
        assert si_sdr(speech, signal, RATE) == pytest.approx(ratio, abs=0.3)


def test_low_pass_takes_only_what_lies_above(speech):
    damaged = low_pass(speech, RATE, 2000)
    spectra = [np.abs(np.fft.rfft(x)) for x in (speech, damaged)]
    hz = np.fft.rfftfreq(len(speech), 1 / RATE)
    assert len(damaged) == len(speech)
    np.testing.assert_allclose(spectra[1][hz < 1500], spectra[0][hz < 1500], atol=0.5)
    assert spectra[1][hz > 2200].max() < 0.01 * spectra[0].max()


def test_falls_allows_a_hundredth_and_no_more():
    assert falls([4.0, 3.0, 3.01, 1.0], si_sdr)
    assert not falls([4.0, 3.0, 3.2, 1.0], si_sdr)
    assert falls([0.0, 1.0], mel_distance) and not falls([1.0, 1.0], si_sdr)
    assert not falls([4.0, float("nan"), 1.0], si_sdr)
