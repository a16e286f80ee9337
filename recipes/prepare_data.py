"""Make a manifest of recordings, and find out what is wrong with them before training does.

python recipes/prepare_data.py manifest my_recordings train.jsonl --layout folder --license "CC BY 4.0"
python recipes/prepare_data.py manifest /data train.jsonl --reader librispeech --subset train-clean-100
python recipes/prepare_data.py manifest /data train.jsonl --reader vctk --subset mic1
python recipes/prepare_data.py manifest lhotse_cuts.jsonl.gz train.jsonl --reader lhotse
python recipes/prepare_data.py manifest saved_dataset train.jsonl --reader huggingface --subset validation
python recipes/prepare_data.py scan train.jsonl --report scan.json --keep clean.jsonl
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also runs from a checkout that is not installed

from audiocodec.data import layouts, manifest, readers
from audiocodec.data.scan import row, scan, summary
from audiocodec.errors import CodecError, ConfigError

READERS = {
    "folder": "a folder, a recording or a manifest",
    **{name: f"{corpus.name} below SOURCE ({corpus.layout})" for name, corpus in readers.CORPORA.items()},
    "lhotse": "a Lhotse manifest of recordings or cuts",
    "huggingface": "a data set that the package `datasets` opens",
}


def make_manifest(options: argparse.Namespace) -> None:
    """Write a manifest of everything that can be read; what the command line says goes over what a reader knows."""
    entries = _read(options)
    if not entries:
        raise ConfigError(f"{options.source_dir}: no readable recording there")
    origin = {"source": options.source, "license": options.license, "language": options.language}
    entries = layouts.with_origin(entries, options.layout, **origin)
    manifest.write(options.out, entries)
    hours = sum(entry.duration for entry in entries) / 3600
    print(f"{options.out}: {len(entries)} recordings, {hours:.2f} h, {len({e.speaker for e in entries})} speakers")


def _read(options: argparse.Namespace) -> list[manifest.Entry]:
    match options.reader:
        case "folder":
            return manifest.collect([options.source_dir])
        case "lhotse":
            return readers.read_lhotse(options.source_dir)
        case "huggingface":
            files = options.out.with_suffix(".files")
            return readers.read_huggingface(options.source_dir, files, options.subset or "train", options.column)
        case corpus:
            return readers.read_torchaudio(corpus, options.source_dir, options.subset)


def scan_recordings(options: argparse.Namespace) -> None:
    """Decode everything, print what was found, and write it down where wanted."""

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{total}", end="" if done < total else "\n", file=sys.stderr)

    findings = scan(manifest.collect(options.places), options.workers, progress)
    report = summary(findings)
    for name, value in report.items():
        shown = f"{len(value)}" if isinstance(value, list) else value
        print(f"{name}: {json.dumps(shown, ensure_ascii=False) if isinstance(shown, dict) else shown}")
        for item in value[:5] if isinstance(value, list) else ():
            print(f"    {item[0]}: {item[1]}")
    if options.report:
        rows = [row(finding) for finding in findings]
        options.report.write_text(json.dumps({**report, "files": rows}, indent=1, ensure_ascii=False) + "\n")
    if options.keep:
        duplicates = {path for path, _ in report["duplicates"]}
        kept = [f.entry for f in findings if not f.fault and str(f.entry.path) not in duplicates]
        manifest.write(options.keep, kept)
        print(f"{options.keep}: {len(kept)} recordings without a fault")


def main() -> int:
    """Exit code 0 done, 1 unusable input."""
    parser = argparse.ArgumentParser(description="Manifests of recordings for training.")
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("manifest", help="write a manifest of a folder, a corpus or a data set")
    make.add_argument("source_dir", metavar="SOURCE", help="what the reader reads")
    make.add_argument("out", type=Path, help="manifest to write, .jsonl")
    make.add_argument("--reader", choices=list(READERS), default="folder", help=_listed(READERS))
    make.add_argument("--subset", default="", help="train-clean-100, ...; microphone of VCTK; split of a data set")
    make.add_argument("--column", default="audio", help="huggingface: the column that holds the sound")
    make.add_argument("--layout", choices=list(layouts.LAYOUTS), help=f"speakers: {_listed(layouts.LAYOUTS)}")
    for name in ("source", "license", "language"):
        make.add_argument(f"--{name}", default="", help=f"{name} of all of them")
    make.set_defaults(run=make_manifest)
    look = commands.add_parser("scan", help="decode everything; report faults, clipping, bandwidth, duplicates, hours")
    look.add_argument("places", nargs="+", help="folders, manifests or recordings")
    look.add_argument("--report", type=Path, help="JSON file with all findings")
    look.add_argument("--keep", type=Path, help="manifest to write of recordings without a fault, each once")
    look.add_argument("--workers", type=int, default=2)
    look.set_defaults(run=scan_recordings)
    options = parser.parse_args()
    try:
        options.run(options)
    except (CodecError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _listed(choices: dict[str, str]) -> str:
    return "; ".join(f"{name}: {meaning}" for name, meaning in choices.items())


if __name__ == "__main__":
    sys.exit(main())
