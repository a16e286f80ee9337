"""Where and with what a result was made: machine, versions, date. It stands under every table."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = (
    "audiocodec",
    "torch",
    "numpy",
    "soundfile",
    "soxr",
    "pesq",
    "pystoi",
    "visqol-python",
    "ai-edge-litert",
    "pycodec2",
    "lc3py",
    "distillmos",
    "resemblyzer",
    "faster-whisper",
)


def describe() -> dict[str, str]:
    """Facts of this machine and installation, by label, in the order to print them."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} logical cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {version}" for name, version in _versions().items()),
        "commit": _commit(),
    }


def _versions() -> dict[str, str]:
    """Versions of the packages that are installed, without importing any."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> str:
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "unknown"
    return f"{n_bytes / 2**30:.0f} GiB"


def _commit() -> str:
    """Commit of the source tree that this package lies in, with a mark where files were changed; empty outside git."""
    folder = Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
