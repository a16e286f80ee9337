"""Lhotse: manifests of features, recordings and cuts over one .npy file an item, or Lhotse Shar in tar files.

    cuts = lhotse.CutSet.from_jsonl_lazy("OUT/cuts.jsonl.gz")
    cut.load_features()     # [T, n_q] uint16
    cuts = lhotse.CutSet.from_shar(in_dir="OUT/shar")    # with shar=True

Lhotse derives the number of frames from durations, so a cut lasts as long as its frames do, up to a frame longer than
the audio. Where it refers to a recording it ends with the recording: Lhotse then rounds a last frame that is less than
half full away; `cut.features.load()` has it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import AudioError, ConfigError
from ..item import TokenItem
from .job import Job, check_shard_items

_FOLDER_ITEMS = 1000  # files of one folder
_SUPERVISION = ("text", "speaker", "language")  # fields that a supervision has names for


def write(job: Job, audio_root: str | Path | None = None, shar: bool = False, shard_items: int = 1000) -> None:
    """Write features.jsonl.gz, cuts.jsonl.gz, codes/000/000000000.npy, ... and recordings.jsonl.gz;
    or Shar: shar/cuts.000000.jsonl.gz, shar/features.000000.tar, ...

    Args:
        job: what to export.
        audio_root: folder that the sources are relative to: their headers are read, recordings.jsonl.gz is written, and
            cuts refer to them, with the duration of the audio. Without it cuts know no audio.
        shar: tar files that are read in sequence, instead of a file an item.
        shard_items: items of one Shar file.
    Raises:
        ConfigError: Lhotse is not installed, or both `audio_root` and `shar` are asked for.
        AudioError: a source cannot be read.
    """
    lhotse = _lhotse()
    check_shard_items(shard_items)
    if shar and audio_root is not None:
        raise ConfigError("audio_root is for manifests that refer to recordings; Shar (shar) keeps codes alone")
    if shar:
        _write_shar(job, lhotse, shard_items)
    else:
        _write_manifests(job, lhotse, None if audio_root is None else Path(audio_root))


def _write_manifests(job: Job, lhotse: Any, audio_root: Path | None) -> None:
    recordings: dict[str, Any] = {}  # by source, which the channels and stretches of one recording share
    with (
        lhotse.FeatureSet.open_writer(job.folder / "features.jsonl.gz") as features,
        lhotse.CutSet.open_writer(job.folder / "cuts.jsonl.gz") as cuts,
    ):
        for number, item in _with_frames(job):
            key = f"{number // _FOLDER_ITEMS:03d}/{number:09d}.npy"
            path = job.folder / "codes" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, _array(job, item), allow_pickle=False)
            entry = _features(job, lhotse, item, "numpy_files", str(job.out / "codes"), key)
            features.write(entry)
            if audio_root is not None and item.source not in recordings:
                recordings[item.source] = _recording(lhotse, audio_root, item.source)
            cuts.write(_cut(job, lhotse, item, entry, recordings.get(item.source)))
    if audio_root is not None:
        lhotse.RecordingSet.from_recordings(recordings.values()).to_file(job.folder / "recordings.jsonl.gz")


def _write_shar(job: Job, lhotse: Any, shard_items: int) -> None:
    from lhotse.shar import ArrayTarWriter, JsonlShardWriter

    folder = job.folder / "shar"  # of its own: Lhotse takes every file of a Shar folder for a field
    folder.mkdir()
    with (
        JsonlShardWriter(str(folder / "cuts.%06d.jsonl.gz"), shard_size=shard_items) as cuts,
        ArrayTarWriter(str(folder / "features.%06d.tar"), shard_size=shard_items) as tar,
    ):
        for _, item in _with_frames(job):
            entry = _features(job, lhotse, item, "shar", "", "")
            tar.write(item.id, _array(job, item), manifest=entry)
            cuts.write(_cut(job, lhotse, item, entry, None))


def _with_frames(job: Job) -> Iterator[tuple[int, TokenItem]]:
    """Items of at least one frame: Lhotse knows no empty cuts."""
    for number, item in job.items():
        if item.frames:
            yield number, item
        else:
            job.facts["left_out_since_empty"] = job.facts.get("left_out_since_empty", 0) + 1


def _array(job: Job, item: TokenItem) -> np.ndarray:
    """[T, n_q]: Lhotse has time first."""
    return np.ascontiguousarray(job.codes(item).T)


def _features(job: Job, lhotse: Any, item: TokenItem, storage_type: str, storage_path: str, storage_key: str) -> Any:
    """The entry of one item. In the codec's time: its frames begin at 0, also where the item is a stretch of a file."""
    frame_rate = job.store.header.frame_rate
    return lhotse.Features(
        type="audiocodec",
        num_frames=item.frames,
        num_features=len(job.sizes),
        frame_shift=float(1 / frame_rate),
        sampling_rate=job.store.header.sample_rate,
        start=_start(item),
        duration=float(item.frames / frame_rate),
        storage_type=storage_type,
        storage_path=storage_path,
        storage_key=storage_key,
        recording_id=item.source,
        channels=_channel(item),
    )


def _recording(lhotse: Any, audio_root: Path, source: str) -> Any:
    path = audio_root / source
    try:
        return lhotse.Recording.from_file(path, recording_id=source)
    except Exception as error:  # of whichever audio library Lhotse tried
        reason = " ".join(str(error).split())[:200]
        raise AudioError(f"{path}: cannot be read for the recordings manifest: {reason}") from error


def _cut(job: Job, lhotse: Any, item: TokenItem, features: Any, recording: Any) -> Any:
    fields = {name: item.fields[name] for name in _SUPERVISION if item.fields.get(name)}
    duration = features.duration if recording is None else min(features.duration, item.seconds)
    supervision = lhotse.SupervisionSegment(
        id=item.id,
        recording_id=item.source,
        start=0,
        duration=duration,
        channel=features.channels,
        **{name: str(value) for name, value in fields.items()},
    )
    others = {name: value for name, value in item.fields.items() if name not in fields}
    return lhotse.MonoCut(
        id=item.id,
        start=features.start,
        duration=duration,
        channel=features.channels,
        features=features,
        recording=recording,
        supervisions=[supervision] if fields else [],
        custom=others or None,
    )


def _start(item: TokenItem) -> float:
    """Where the item starts in its recording, s."""
    return item.row.offset / item.sample_rate if item.row.offset else 0


def _channel(item: TokenItem) -> int:
    """Lhotse counts from 0 and has no name for all channels mixed."""
    return max(item.row.channel, 0)


def _lhotse() -> Any:
    try:
        import lhotse
        import lhotse.shar
    except ImportError as error:
        raise ConfigError("this format is written by Lhotse itself: pip install lhotse") from error
    return lhotse
