"""Tables and report of an evaluation with known faults: what stands in them, and that the page needs nothing else."""

import csv
import html.parser
import json
from pathlib import Path

import pytest
import soundfile

from audiocodec.data.manifest import collect
from audiocodec.data.pool import Pool
from audiocodec.evaluation.outputs import write_outputs
from audiocodec.evaluation.own import OwnCodec
from audiocodec.evaluation.run import evaluate
from audiocodec.metrics import mel_distance, si_sdr
from tests.evaluation.fakes import Rounding


@pytest.fixture(scope="module")
def written(tmp_path_factory, tiny_codec):
    """Outputs of one of our codecs at two bitrates, a coarse and a fine peer, one that is silent and one missing."""
    folder = tmp_path_factory.mktemp("evaluation")
    sample = Path(__file__).parents[2] / "egs" / "samples" / "librispeech_2002.flac"
    speech, rate = soundfile.read(sample, start=16000, stop=64000)
    for index in range(3):
        soundfile.write(folder / f"<{index}>.wav", speech[index * 16000 : (index + 1) * 16000], rate)
    model = str(tiny_codec.save_pretrained(folder / "models" / "tiny"))
    peers = [Rounding(bits=4), Rounding(bits=8), Rounding(fault="silent"), Rounding(fault="missing")]
    systems = [OwnCodec(model, 400.0), OwnCodec(model, 800.0), *peers]
    recordings = collect([str(folder / f"<{index}>.wav") for index in range(3)])
    with Pool(1) as pool:
        result = evaluate(recordings, systems, [si_sdr, mel_distance], folder / "out", pool)
        write_outputs(result, folder / "out", pool, command="the command", n_examples=2)
    return folder / "out", result


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_needs_no_other_file_and_no_network(written):
    page = Page((written[0] / "report.html").read_text())
    references = [value for _, a in page.tags for key, value in a.items() if key in ("src", "href")]
    assert len(references) > 20 and all(value.startswith(("data:", "#")) for value in references)
    assert not page.all("script") and not [a for a in page.all("link") if a["rel"] != "icon"]
    targets = {a["id"] for _, a in page.tags if "id" in a}
    assert {value[1:] for value in references if value.startswith("#")} <= targets


def test_the_page_lets_one_hear_the_original_and_every_codec(written):
    page = Page((written[0] / "report.html").read_text())
    assert len(page.all("audio")) == 2 * (1 + 5)
    assert sum(a["src"].startswith("data:image/jpeg") for a in page.all("img")) == 2 * (1 + 5)
    assert sum(a["src"].startswith("data:image/png") for a in page.all("img")) == 3
    assert sum(f"<{index}>.wav" in "".join(page.texts) for index in range(3)) == 2  # escaped in the source
    assert sum(a.get("class") == "own" for a in page.all("tr")) == 2
    assert sum(a.get("class") in ("better", "worse", "") for a in page.all("td")) == 3 * 2  # duels with three peers


def test_failures_and_absences_are_told_everywhere(written):
    folder, _ = written
    page = " ".join(Page((folder / "report.html").read_text()).texts)
    table = (folder / "table.md").read_text()
    for text in (page, table):
        assert "rounding6silent, 3 files" in text and "the decoded signal is silent" in text
        assert "no rounding on this machine" in text and "3 failed" in text
    with open(folder / "table.csv", newline="") as file:
        rows = {row["system"]: row for row in csv.DictReader(file)}
    assert rows["rounding6silent"]["si_sdr"] == "nan" and rows["rounding6silent"]["si_sdr_failed"] == "3"
    assert rows["rounding8"]["si_sdr_failed"] == "0"


def test_the_csv_holds_what_was_measured(written):
    folder, result = written
    with open(folder / "table.csv", newline="") as file:
        rows = {row["system"]: row for row in csv.DictReader(file)}
    assert float(rows["rounding4"]["bitrate_bit_s"]) == 64000
    assert float(rows["rounding4"]["si_sdr"]) < float(rows["rounding8"]["si_sdr"])
    scores = [r.scores[si_sdr.id] for r in result.records if r.system == "rounding8"]
    assert float(rows["rounding8"]["si_sdr"]) == pytest.approx(sum(scores) / 3, abs=1e-4)
    assert float(rows["rounding8"]["si_sdr_low"]) < float(rows["rounding8"]["si_sdr"])
    assert float(rows["tiny_0.8k"]["bitrate_bit_s"]) > 800  # the container counts


def test_run_json_says_how_codebooks_were_used(written):
    folder, _ = written
    run = json.loads((folder / "run.json").read_text())
    stages = run["codebooks"]["tiny"]
    assert [stage["stage"] for stage in stages] == [1, 2, 3, 4]
    assert all(1 <= stage["used"] <= 16 and 0 <= stage["bits"] <= 4 == stage["full_bits"] for stage in stages)
    assert run["facts"]["command"] == "the command" and "processor" in run["facts"]


def test_there_is_a_picture_for_every_metric(written):
    names = {path.name for path in (written[0] / "plots").iterdir()}
    assert names == {"si_sdr.png", "mel_distance.png", "si_sdr_files.png"}
