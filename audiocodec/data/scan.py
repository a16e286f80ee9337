"""What is wrong with a collection of recordings: decoded whole, file by file, before a training run finds out."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import soundfile

from .manifest import Entry

CLIPPED = 0.999  # of full scale
SILENT_DB = -60.0  # level of a frame below which nobody speaks
BAND_DB = -75.0  # power below the strongest bin under which a frequency counts as empty
_FRAME_S = 0.02
_WINDOW = 1024
_MAX_WINDOWS = 2000  # of the spectrum's average: enough for any file


@dataclass(frozen=True, slots=True)
class Finding:
    """One recording, decoded. `fault` is "" where it can be used; then the figures hold."""

    entry: Entry
    fault: str = ""
    duration: float = 0.0  # s, of the samples that are there
    peak: float = 0.0
    level_db: float = 0.0  # root mean square against full scale
    clipped: float = 0.0  # share of samples at full scale
    silent: float = 0.0  # share of 20 ms frames below SILENT_DB
    bandwidth_hz: float = 0.0  # highest frequency that holds anything
    digest: str = ""  # of the samples: equal recordings have equal digests, whatever their names and formats


def scan(
    entries: Sequence[Entry], workers: int = 2, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Finding]:
    """Decode and measure every recording.

    Args:
        entries: from a manifest or a folder.
        workers: threads.
        progress: called with (recordings done, recordings in all).
    Returns:
        one finding for each entry, in order.
    """
    findings = []
    with ThreadPoolExecutor(workers) as pool:
        for finding in pool.map(examine, entries):
            findings.append(finding)
            progress(len(findings), len(entries))
    return findings


def examine(entry: Entry) -> Finding:
    """Decode one recording and measure it; faults are reported, never raised."""
    try:
        wav, rate = soundfile.read(str(entry.path), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        return Finding(entry, fault=f"cannot be decoded: {error}")
    if not len(wav):
        return Finding(entry, fault="no samples")
    if not np.isfinite(wav).all():
        return Finding(entry, fault="holds NaN or infinite samples")
    duration = len(wav) / rate
    if rate != entry.sample_rate:
        return Finding(entry, fault=f"is at {rate} Hz, the manifest says {entry.sample_rate} Hz")
    if duration < entry.duration * 0.99 - 0.1:
        return Finding(entry, fault=f"holds {duration:.2f} s, its header or manifest says {entry.duration:.2f} s")
    mono = wav.mean(axis=1)
    frame = max(1, int(_FRAME_S * rate))
    power = np.square(mono[: len(mono) // frame * frame].reshape(-1, frame)).mean(axis=1)
    pcm = (wav.clip(-1, 1) * 32767).round().astype("<i2")
    return Finding(
        entry,
        duration=duration,
        peak=float(np.abs(wav).max()),
        level_db=_db(float(np.square(mono).mean())),
        clipped=float((np.abs(wav) >= CLIPPED).mean()),
        silent=float((power < 10 ** (SILENT_DB / 10)).mean()) if len(power) else 0.0,
        bandwidth_hz=bandwidth_hz(mono, rate),
        digest=hashlib.sha256(pcm.tobytes()).hexdigest(),
    )


def bandwidth_hz(mono: np.ndarray, rate: int) -> float:
    """Highest frequency (Hz) whose mean power is at most 75 dB below the strongest; 0 for silence.

    Shows what a sample rate only claims: a file at 48 kHz that was made from 16 kHz gives 8000.

    Args:
        mono: [L] samples.
        rate: Hz.
    """
    if len(mono) < _WINDOW:
        mono = np.pad(mono, (0, _WINDOW - len(mono)))
    step = max(_WINDOW // 2, (len(mono) - _WINDOW) // _MAX_WINDOWS)
    frames = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[::step]
    power = np.square(np.abs(np.fft.rfft(frames * np.blackman(_WINDOW)))).mean(axis=0)
    if power.max() <= 0:
        return 0.0
    return float(np.flatnonzero(power >= power.max() * 10 ** (BAND_DB / 10))[-1] * rate / _WINDOW)


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """Faults, doubtful recordings, duplicates, and hours by speaker, source, language and licence."""
    good = [f for f in findings if not f.fault]
    first: dict[str, str] = {}
    duplicates = []
    for finding in good:
        original = first.setdefault(finding.digest, str(finding.entry.path))
        if original != str(finding.entry.path):
            duplicates.append([str(finding.entry.path), original])
    hours = {
        key: {name or "(unknown)": round(seconds / 3600, 4) for name, seconds in _seconds_by(good, key).most_common()}
        for key in ("speaker", "source", "language", "license")
    }
    return {
        "recordings": len(findings),
        "usable": len(good),
        "hours": round(sum(f.duration for f in good) / 3600, 4),
        "faults": [[str(f.entry.path), f.fault] for f in findings if f.fault],
        "clipped": [[str(f.entry.path), round(f.clipped, 6)] for f in good if f.clipped > 1e-3],
        "silent": [[str(f.entry.path), round(f.silent, 3)] for f in good if f.silent > 0.5],
        "narrow": [
            [str(f.entry.path), round(f.bandwidth_hz)] for f in good if f.bandwidth_hz < 0.4 * f.entry.sample_rate
        ],
        "duplicates": duplicates,
        "hours_by": hours,
    }


def row(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON values."""
    values = {key: value for key, value in asdict(finding).items() if key != "entry"}
    return {"path": str(finding.entry.path), **values}


def _seconds_by(findings: Sequence[Finding], key: str) -> Counter[str]:
    seconds: Counter[str] = Counter()
    for finding in findings:
        seconds[getattr(finding.entry, key)] += finding.duration  # type: ignore[assignment]
    return seconds


def _db(power: float) -> float:
    return float(10 * np.log10(power + 1e-20))
