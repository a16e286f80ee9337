"""WebDataset: tar files in which every item is `KEY.codes.npy` and `KEY.json`, one after the other.

    dataset = webdataset.WebDataset("OUT/tokens-{000000..000009}.tar").decode()
    sample["codes.npy"]     # [n_q, T] uint16
    sample["json"]          # id, source, samples, sample_rate, frames, fields, ...

Source: the format is POSIX tar with files of one sample next to each other, github.com/webdataset/webdataset.
"""

import io
import json
import tarfile

import numpy as np

from .job import Job, check_shard_items, item_facts


def write(job: Job, shard_items: int = 10_000) -> None:
    """Write tokens-000000.tar, tokens-000001.tar, ...

    Keys are the item's number in the store, since ids may hold dots and slashes, which mean something else in a key.

    Args:
        job: what to export.
        shard_items: items of one tar file.
    """
    check_shard_items(shard_items)
    tar = None
    try:
        for number, item in job.items():
            if number % shard_items == 0:
                if tar:
                    tar.close()
                tar = tarfile.open(
                    job.folder / f"tokens-{number // shard_items:06d}.tar", "w", format=tarfile.USTAR_FORMAT
                )
            assert tar is not None
            array = io.BytesIO()
            np.save(array, np.ascontiguousarray(job.codes(item)), allow_pickle=False)
            _add(tar, f"{number:09d}.codes.npy", array.getvalue())
            _add(tar, f"{number:09d}.json", json.dumps(item_facts(item), ensure_ascii=False).encode())
    finally:
        if tar:
            tar.close()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Owner and time are left at zero: the same store gives the same bytes."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
