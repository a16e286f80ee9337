"""The listening page hides what is what, and its answers are put together by the key alone."""

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from audiocodec.data.manifest import collect
from audiocodec.data.pool import Pool
from audiocodec.errors import ConfigError
from audiocodec.evaluation.listening import ANCHOR, HIDDEN_REFERENCE, analyse, spread_over, write_page
from audiocodec.evaluation.run import evaluate
from audiocodec.metrics import si_sdr
from tests.evaluation.fakes import Rounding


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory, speech):
    folder = tmp_path_factory.mktemp("listening")
    soundfile.write(folder / "secret_name.wav", speech[:16000], 16000)
    soundfile.write(folder / "other_name.wav", speech[16000:], 16000)
    with Pool(1) as pool:
        recordings = collect([str(folder)])
        result = evaluate(recordings, [Rounding(bits=4), Rounding(bits=8)], [si_sdr], folder / "out", pool)
        write_page(result, list(result.paths), folder / "out", pool)
    return folder / "out"


class Scripts(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.inside, self.found = False, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "script" and dict(attributes).get("type") == "application/json"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.found.append(data)


def trials_of(folder):
    return json.loads("".join(Scripts((folder / "listen.html").read_text()).found))


def test_the_page_says_nothing_about_systems_and_files(page_folder):
    page = re.sub(r"base64,[A-Za-z0-9+/=]+", "", (page_folder / "listen.html").read_text()).lower()
    assert not [word for word in ("rounding", "3.5 khz", HIDDEN_REFERENCE, "secret_name", "http") if word in page]


def test_every_recording_has_every_condition_once(page_folder):
    key, trials = json.loads((page_folder / "listen_key.json").read_text()), trials_of(page_folder)
    expected = sorted(["rounding4", "rounding8", HIDDEN_REFERENCE, ANCHOR])
    for trial in trials:
        assert sorted(key["clips"][clip["id"]]["system"] for clip in trial["clips"]) == expected
        by_system = {key["clips"][clip["id"]]["system"]: clip["audio"] for clip in trial["clips"]}
        assert by_system[HIDDEN_REFERENCE] == trial["reference"] and len(set(by_system.values())) == 4
    assert len(key["clips"]) == 8 and {entry["file"] for entry in key["clips"].values()} == {
        "secret_name.wav",
        "other_name.wav",
    }


def answers(folder, scores, listener="anna"):
    """Answers in which every system gets its score."""
    key, trials = json.loads((folder / "listen_key.json").read_text()), trials_of(folder)
    rate = lambda clip: {"clip": clip["id"], "score": scores[key["clips"][clip["id"]]["system"]], "plays": 1}  # noqa: E731
    trials = [{"seconds": 9, "ratings": [rate(clip) for clip in trial["clips"]]} for trial in trials]
    return {"test": key["test"], "listener": listener, "trials": trials}


def save(path, content):
    path.write_text(json.dumps(content))
    return path


def test_answers_are_put_together_and_careless_listeners_left_out(page_folder, tmp_path):
    good = {"rounding4": 30, "rounding8": 70, HIDDEN_REFERENCE: 98, ANCHOR: 20}
    paths = [
        save(tmp_path / "a.json", answers(page_folder, good)),
        save(tmp_path / "b.json", answers(page_folder, good | {"rounding8": 80}, "ben")),
        save(tmp_path / "c.json", answers(page_folder, dict.fromkeys(good, 50), "cleo")),
    ]
    opinions, left_out = analyse(page_folder / "listen_key.json", paths)
    assert [(o.system, o.mean, o.n_ratings) for o in opinions] == [
        (HIDDEN_REFERENCE, 98, 4), ("rounding8", 75, 4), ("rounding4", 30, 4), (ANCHOR, 20, 4),
    ]  # fmt: skip
    assert opinions[1].low >= 70 and opinions[1].high <= 80 and opinions[2].low == opinions[2].high == 30
    assert left_out == {"cleo (c.json)": "hidden reference below 90 in 2 of 2"}


def test_the_recipe_prints_the_table(page_folder, tmp_path):
    good = {"rounding4": 30, "rounding8": 70, HIDDEN_REFERENCE: 98, ANCHOR: 20}
    path = save(tmp_path / "a.json", answers(page_folder, good))
    recipe = Path(__file__).parents[2] / "recipes" / "listening.py"
    command = [sys.executable, str(recipe), str(page_folder / "listen_key.json"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=recipe.parents[1])
    assert done.returncode == 0 and "| rounding8 | 70.0 (70.0 to 70.0) | 2 |" in done.stdout


def test_what_is_no_answer_to_this_test_is_refused(page_folder, tmp_path):
    key = page_folder / "listen_key.json"
    good = answers(page_folder, {"rounding4": 30, "rounding8": 70, HIDDEN_REFERENCE: 98, ANCHOR: 20})
    cases = {
        "another test": good | {"test": "0"},
        "not answers of this page": good | {"trials": [{"ratings": [{"clip": "?", "score": 1}]}]},
        "expected a JSON object": [1],
        "no listener is left": answers(
            page_folder, dict.fromkeys(["rounding4", "rounding8", HIDDEN_REFERENCE, ANCHOR], 0)
        ),
    }
    for message, content in cases.items():
        with pytest.raises(ConfigError, match=message):
            analyse(key, [save(tmp_path / "x.json", content)])
    with pytest.raises(ConfigError, match="cannot be read as JSON"):
        analyse(key, [tmp_path / "nowhere.json"])


def test_recordings_are_spread_over_the_set():
    assert spread_over(list("hgfedcba"), 2) == ["c", "g"]
    assert spread_over(["b", "a"], 5) == ["a", "b"]
    assert spread_over(list("abc"), 0) == []
