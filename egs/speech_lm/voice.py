"""Writes the manifest of one voice: python egs/speech_lm/voice.py MANIFEST SPEAKER OUT.jsonl"""

import sys

from audiocodec.data.manifest import read, write


def main() -> None:
    """Read the arguments and write the lines of one speaker."""
    manifest, speaker, out = sys.argv[1:]
    entries = [entry for entry in read(manifest) if entry.speaker == speaker]
    if not entries:
        sys.exit(f"{manifest}: no recording of speaker {speaker!r}")
    write(out, entries)
    print(f"{speaker}: {len(entries)} recordings, {sum(entry.duration for entry in entries) / 3600:.2f} h")


if __name__ == "__main__":
    main()
