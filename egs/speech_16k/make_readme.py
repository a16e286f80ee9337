"""Write the table of results in README.md from an evaluation: our rates among those of other codecs, by bit rate.

python egs/speech_16k/make_readme.py --evaluation out/speech_16k
"""

import argparse
import json
from pathlib import Path

from audiocodec import Codec

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- results: written by egs/speech_16k/make_readme.py -->\n", "<!-- end of results -->"
MODEL = "speech-16k"
OTHERS = {  # what most people know, up to the rate of telephony; results/table.md has all
    "lyra_3.2k": "Lyra 2, 3.2k",
    "codec2_3.2k": "Codec 2, 3.2k",
    "opus_6k": "Opus, 6k",
    "lyra_6k": "Lyra 2, 6k",
    "amrwb_6.6k": "AMR-WB, 6.6k",
    "opus_9k": "Opus, 9k",
    "amrwb_8.85k": "AMR-WB, 8.85k",
    "lyra_9.2k": "Lyra 2, 9.2k",
    "opus_12k": "Opus, 12k",
}
FIGURES = {
    "pesq_wb": ("PESQ-WB ↑", 2),
    "stoi": ("STOI ↑", 3),
    "visqol": ("ViSQOL ↑", 2),
    "mel_distance": ("mel distance ↓", 2),
}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of `audiocodec evaluate`")
    evaluation = json.loads((parser.parse_args().evaluation / "run.json").read_text())
    codec = Codec.from_pretrained(MODEL)
    rows = []
    for summary in sorted(evaluation["summaries"], key=lambda s: s["bitrate"]):
        name = OTHERS.get(summary["system"])
        if summary["family"] == MODEL:
            nominal = 1000 * float(summary["system"].rpartition("_")[2].removesuffix("k"))
            name = f"**ours, {round(nominal / codec.bitrate(1))} codebooks**"
        if name is not None:
            rows.append(row(name, summary))
    facts = evaluation["facts"]
    files = evaluation["summaries"][0]["n_files"]
    text = f"""`{MODEL}` on {files} recordings in five languages that it was not trained on, beside other codecs; bit
rates of ours are those of whole `.anc` files, of the others their bare packets. {facts["date"].split()[0]},
{facts["processor"]}.

| codec | kbit/s, from bytes | {" | ".join(title for title, _ in FIGURES.values())} |
|---|---:|{"---:|" * len(FIGURES)}
{chr(10).join(rows)}
"""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(before + BEGIN + text + END + rest.split(END)[1], encoding="utf-8")


def row(name: str, summary: dict) -> str:
    """One line of the table."""
    cells = [f"{summary['metrics'][metric]['mean']:.{digits}f}" for metric, (_, digits) in FIGURES.items()]
    return f"| {name} | {summary['bitrate'] / 1000:.2f} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
