"""The report and the listening page in a real browser: no error on its console, and every recording can be played."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from audiocodec.data.manifest import collect
from audiocodec.data.pool import Pool
from audiocodec.evaluation.listening import analyse, write_page
from audiocodec.evaluation.outputs import write_outputs
from audiocodec.evaluation.peers import parse
from audiocodec.evaluation.run import evaluate
from audiocodec.metrics.catalogue import choose

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SAMPLES = Path(__file__).parents[2] / "egs/samples"
PROBE = """<script>
addEventListener("load", async () => {
  const load = (element) => new Promise((resolve) => {
    element.addEventListener("loadedmetadata", () => resolve(true));
    element.addEventListener("error", () => resolve(false));
    setTimeout(() => resolve(false), 20000);
    element.load();
  });
  const audio = FIND_AUDIO;
  const loaded = await Promise.all(audio.map(load));
  const seconds = audio.map((element) => element.duration);
  const pictures = [...document.querySelectorAll("img")].map((picture) => picture.naturalWidth);
  const extra = (() => { LISTEN })();
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify({loaded, seconds, pictures, extra});
  document.body.append(out);
});
</script>"""
LISTEN = """  // a listener who hears and rates every version, the k-th on the page with 90 + k
  const early = byId("next").disabled;
  document.querySelectorAll("#versions .row").forEach((row, k) => {
    row.querySelector("button").click();
    row.querySelector("input").value = 90 + k;
    row.querySelector("input").dispatchEvent(new Event("input"));
  });
  byId("next").click();
  return {early, over: !byId("end").hidden, answers};
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """An evaluation of two peers on a sample recording, with both of its pages."""
    out, recordings = tmp_path_factory.mktemp("pages"), collect([str(SAMPLES / "librispeech_2002.flac")])
    systems = parse("pcm") if shutil.which("ffmpeg") is None else parse("pcm,mp3_16k")
    with Pool(1, 300) as pool:
        evaluation = evaluate(recordings, systems, choose("stoi,si_sdr"), out, pool)
        write_outputs(evaluation, out, pool, command="evaluate", n_examples=1)
        write_page(evaluation, list(evaluation.paths), out, pool)
    return out


def visit(page: Path, folder: Path, find_audio: str, act: str = "") -> dict:
    """Open a page that must not reach for the network, load all its audio, act on it; what its elements say then."""
    text, copy = page.read_text(encoding="utf-8"), folder / page.name
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), "the page reaches for the network"
    probe = PROBE.replace("FIND_AUDIO", find_audio).replace("LISTEN", act)
    copy.write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={folder}/p"]
    options += ["--autoplay-policy=no-user-gesture-required", "--timeout=60000", "--virtual-time-budget=60000"]
    command = [CHROMIUM, *options, "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert ":CONSOLE" not in done.stderr, done.stderr
    (found,) = re.findall(r'<pre id="probe">(.*?)</pre>', done.stdout)
    seen = json.loads(html.unescape(found))
    assert seen["loaded"] and all(seen["loaded"]) and all(second > 1 for second in seen["seconds"])
    assert all(width > 0 for width in seen["pictures"])
    return seen


def test_report_opens_without_an_error_and_its_audio_loads(pages, tmp_path):
    seen = visit(pages / "report.html", tmp_path, '[...document.querySelectorAll("audio")]')
    assert len(seen["loaded"]) >= 2 and seen["pictures"]  # the original and each system


def test_listening_page_can_be_gone_through_and_its_answers_are_understood(pages, tmp_path):
    start = '(byId("start").click(), Object.values(players).map((player) => player.audio))'
    extra = visit(pages / "listen.html", tmp_path, start, LISTEN)["extra"]
    assert extra["early"] and extra["over"], "a recording may be left only when everything was heard and rated"
    (tmp_path / "answers.json").write_text(json.dumps(extra["answers"]), encoding="utf-8")
    opinions, left_out = analyse(pages / "listen_key.json", [tmp_path / "answers.json"])
    assert not left_out and {opinion.system for opinion in opinions} >= {"hidden reference", "3.5 kHz anchor", "pcm16"}
    assert all(90 <= opinion.mean <= 93 for opinion in opinions)
