"""A whole evaluation with systems whose faults are known: counted, named, never scored, taken up where it stopped."""

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from audiocodec.data.manifest import collect
from audiocodec.data.pool import Pool
from audiocodec.errors import ConfigError
from audiocodec.evaluation.run import evaluate, name_files
from audiocodec.metrics import mel_distance, si_sdr
from audiocodec.metrics.catalogue import METRICS
from audiocodec.metrics.visqol import visqol
from tests.evaluation.fakes import Rounding

RATE = 16000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two stretches of speech, of 1.5 and 1 s."""
    folder = tmp_path_factory.mktemp("set")
    sample = Path(__file__).parents[2] / "egs" / "samples" / "librispeech_2002.flac"
    speech, _ = soundfile.read(sample, start=16000, stop=56000)
    soundfile.write(folder / "a.wav", speech[:24000], RATE)
    soundfile.write(folder / "b.wav", speech[24000:], RATE)
    return collect([str(folder)])


@pytest.fixture(scope="module")
def pool():
    with Pool(1) as pool:
        yield pool


def test_faults_are_counted_and_named_and_everything_else_is_scored(recordings, tmp_path):
    faults = ["", "raises", "crashes", "silent", "breaks si_sdr", "missing"]
    systems = [Rounding(fault=fault) for fault in faults]
    seen = []
    with Pool(2) as pool:
        result = evaluate(
            recordings,
            systems,
            [mel_distance, si_sdr],
            tmp_path,
            pool,
            report=lambda done, total: seen.append((done, total)),
        )
    records = {(r.system.removeprefix("rounding6"), r.file): r for r in result.records}
    good = records["", "a.wav"]
    assert good.scores[mel_distance.id] > 0 and good.scores[si_sdr.id] > 0 and not good.reasons and not good.error
    assert (good.delay, good.delay_by, good.length_difference) == (40, "waveform", 40)
    assert good.n_bits == 6 * 24000 and good.seconds == 1.5 and good.family == "Rounding" and good.version == "1"
    for fault, error in (("raises", "RuntimeError: cannot round that"), ("crashes", "the process died: SIGSEGV")):
        assert records[fault, "a.wav"].error == f"{error} (while: code)" and not records[fault, "a.wav"].scores
        assert records[fault, "b.wav"].scores == records["", "b.wav"].scores
    silent = records["silent", "a.wav"]
    assert (
        silent.scores == {mel_distance.id: None, si_sdr.id: None}
        and "silent" in silent.reasons[mel_distance.id]
        and not silent.error
    )
    broken = records["breaks si_sdr", "a.wav"]
    assert broken.scores == {mel_distance.id: good.scores[mel_distance.id], si_sdr.id: None}
    assert broken.reasons == {si_sdr.id: "the process died: SIGSEGV"}
    assert result.missing == {"rounding6missing": "no rounding on this machine"}
    assert len(result.records) == 10 and seen[-1] == (10, 10) and seen[0] == (0, 10)
    assert (result.n_files, result.seconds) == (2, 2.5)


def test_what_is_known_is_not_computed_again(recordings, tmp_path, pool):
    first = evaluate(recordings, [Rounding()], [si_sdr], tmp_path, pool)
    again = evaluate(recordings, [Rounding()], [si_sdr], tmp_path, pool)
    assert again.records == first.records  # CPU times too: nothing was run
    more = evaluate(recordings, [Rounding()], [mel_distance, si_sdr], tmp_path, pool)
    assert all(set(record.scores) == {mel_distance.id, si_sdr.id} for record in more.records)
    assert [r.scores[si_sdr.id] for r in more.records] == [r.scores[si_sdr.id] for r in first.records]
    newer = evaluate(recordings, [Rounding(revision="2", delay=7)], [si_sdr], tmp_path, pool)
    assert all((r.version, r.delay) == ("2", 7) for r in newer.records)


def test_scores_of_another_run_stand_in_for_a_system_that_is_missing(recordings, tmp_path, pool):
    there, here = tmp_path / "there", tmp_path / "here"
    present = Rounding()
    first = evaluate(recordings, [present], [si_sdr], there, pool)
    lines = (there / "results.jsonl").read_text()
    (there / "results.jsonl").write_text(lines.replace("rounding6", "rounding6missing"))
    absent = replace(present, fault="missing")
    result = evaluate(recordings, [present, absent], [si_sdr], here, pool, earlier=[there / "results.jsonl"])
    assert not result.missing and [system.name for system in result.systems] == ["rounding6", "rounding6missing"]
    scores = {(r.system, r.file): r.scores for r in result.records}
    assert scores["rounding6missing", "a.wav"] == first.records[0].scores


def test_earlier_results_that_lack_a_file_or_a_metric_do_not_stand_in(recordings, tmp_path, pool):
    present, absent = Rounding(), Rounding(fault="missing")
    evaluate(recordings[:1], [present], [si_sdr], tmp_path / "there", pool)
    path = tmp_path / "there" / "results.jsonl"
    path.write_text(path.read_text().replace("rounding6", "rounding6missing"))
    for files, metrics, reason in (
        (recordings, [si_sdr], "earlier results hold only 1 of 2 files"),
        (recordings[:1], [si_sdr, mel_distance], "earlier results lack mel_distance"),
    ):
        result = evaluate(files, [present, absent], metrics, tmp_path / "here", pool, earlier=[path])
        assert result.missing["rounding6missing"].endswith(reason)
        assert {record.system for record in result.records} == {"rounding6"} == {s.name for s in result.systems}


def test_a_recording_that_changed_is_coded_again(recordings, tmp_path, pool):
    folder = tmp_path / "set"
    folder.mkdir()
    for recording in recordings:
        (folder / recording.path.name).write_bytes(recording.path.read_bytes())
    first = evaluate(collect([str(folder)]), [Rounding()], [si_sdr], tmp_path / "out", pool)
    (folder / "a.wav").write_bytes((folder / "b.wav").read_bytes())
    second = evaluate(collect([str(folder)]), [Rounding()], [si_sdr], tmp_path / "out", pool)
    assert second.records[0].scores == second.records[1].scores != first.records[0].scores
    assert second.records[1] == first.records[1]


def test_metrics_above_the_rate_of_comparison_are_refused(recordings, tmp_path, pool):
    with pytest.raises(ConfigError, match=r"mel_distance_44k is defined at 44100 Hz.*--sample-rate 44100"):
        evaluate(recordings, [Rounding()], [METRICS["mel_distance_44k"]], tmp_path, pool)


def test_nothing_that_can_run_is_an_error(recordings, tmp_path, pool):
    with pytest.raises(ConfigError, match="nothing to evaluate: rounding6missing: no rounding"):
        evaluate(recordings, [Rounding(fault="missing")], [si_sdr], tmp_path, pool)


def test_a_metric_whose_package_is_absent_is_named(recordings, tmp_path, pool):
    absent = replace(visqol, packages=("no_such_package",))
    result = evaluate(recordings, [Rounding()], [si_sdr, absent], tmp_path, pool)
    assert result.missing == {"visqol": "not installed: pip install no-such-package"} and result.metrics == [si_sdr]


def test_files_are_named_below_their_common_folder():
    paths = [Path("/x/set/a/1.wav"), Path("/x/set/b/1.wav")]
    assert name_files(paths) == {"a/1.wav": paths[0], "b/1.wav": paths[1]}
    assert list(name_files([Path("/x/1.wav")])) == ["1.wav"]
    with pytest.raises(ConfigError, match="twice"):
        name_files([Path("/x/1.wav"), Path("/x/../x/1.wav")])
