"""Loaders give every example once over ranks and workers, the same batches however they are read, from any position."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from audiocodec.errors import ConfigError
from audiocodec.tokens import TokenStore
from audiocodec.tokens.datasets import TokenBatchSampler, TokenDataset, TokenStream, token_loader
from audiocodec.tokens.order import Plan
from audiocodec.tokens.views import flat, musicgen
from tests.tokens.test_store import fill

LENGTHS = [30, 7, 0, 12, 55, 1, 90, 3, 18, 18, 41]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "tokens"
    fill(path, LENGTHS, shard_frames=60)
    return TokenStore(path)


def same(a, b):
    """Whether two batches are equal in everything."""
    return a.keys() == b.keys() and all(
        torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key] for key in a
    )


def test_an_example_is_the_view_of_its_stretch(store):
    view = musicgen(store.header.codebook_sizes, 2)
    dataset = TokenDataset(store, view, crop_frames=10, seed=5, fields=["id", "text", "speaker"])
    for key in [(0, 0, i) for i in range(len(dataset))] + [(3, 0, 4)]:
        example = dataset[key]
        codes = store[example["item"]].codes
        stop = example["start_frame"] + min(10, codes.shape[1])
        np.testing.assert_array_equal(view.invert(example["tokens"].numpy()), codes[:2, example["start_frame"] : stop])
        assert example["mask"].sum() == 2 * (stop - example["start_frame"])
        number = example["item"]
        assert example["fields"] == {"id": f"item-{number}", "text": f"né {number}", "speaker": None}


def test_a_crop_reads_its_own_frames_only(store, monkeypatch):
    asked = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            asked.append(key.stop - key.start)
            return np.asarray(self)[key]

    dataset, codes = TokenDataset(store, crop_frames=5), TokenStore.shard_codes
    monkeypatch.setattr(TokenStore, "shard_codes", lambda self, shard: codes(self, shard).view(Watched))
    monkeypatch.setattr(TokenStore, "index", None)  # nor is the index looked at
    monkeypatch.setattr(TokenStore, "__getitem__", None)
    for i in range(len(dataset)):
        dataset[i]
    assert len(asked) == len(dataset) and max(asked) == 5


def test_batches_are_filled_with_padding_that_the_mask_leaves_out(store):
    dataset = TokenDataset(store, flat(store.header.codebook_sizes))
    batch = dataset.collate([dataset[0], dataset[1]])
    assert batch["tokens"].shape == batch["mask"].shape == (2, 92) and batch["lengths"].tolist() == [92, 23]
    assert (batch["tokens"][1, 23:] == dataset.view.pad).all() and batch["mask"].sum(1).tolist() == [90, 21]
    assert (batch["tokens"].dtype, batch["mask"].dtype) == (torch.int64, torch.bool)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_depend_on_no_worker(store, workers):
    """Map-style or iterable, in line or by workers: the same batches in the same order, over two epochs."""
    dataset, plan = TokenDataset(store, crop_frames=12, seed=1), Plan(27, 4, world=2, rank=1, seed=9)
    assert len(dataset) == plan.n_examples
    expected = list(token_loader(dataset, 4, rank=1, world=2, seed=9, epochs=2))
    stream = TokenStream(dataset, plan, epochs=2)
    for loader in (
        token_loader(dataset, 4, rank=1, world=2, seed=9, epochs=2, num_workers=workers),
        DataLoader(stream, batch_size=None, num_workers=workers),
    ):
        got = list(loader)
        assert len(got) == len(expected) == 2 * plan.steps and all(map(same, got, expected))


@pytest.mark.parametrize("world", [1, 2, 5])
def test_ranks_and_workers_share_without_overlap_or_loss(store, world):
    dataset = TokenDataset(store, crop_frames=12, random_crops=False)
    seen = []
    for rank in range(world):
        loader = DataLoader(
            TokenStream(dataset, Plan(len(dataset), 2, world, rank)), batch_size=None, num_workers=2 if rank == 0 else 0
        )
        seen += [pair for b in loader for pair in zip(b["item"].tolist(), b["start_frame"].tolist(), strict=True)]
    expected = [(i, start) for i, length in enumerate(LENGTHS) for start in range(0, length, 12)]
    assert sorted(seen) == expected


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_position_goes_on_where_it_was(store, stop):
    """Saved after any batch, before or after the end of an epoch, and read on by other workers."""
    dataset = TokenDataset(store, crop_frames=20, seed=2)
    whole = list(token_loader(dataset, 4, epochs=3))
    position = whole[stop - 1]["position"]
    for loader in (
        token_loader(dataset, 4, epochs=3, position=position),
        TokenStream(dataset, Plan(len(dataset), 4), epochs=3, position=position),
    ):
        assert all(map(same, loader, whole[stop:]))
    sampler = TokenBatchSampler(Plan(len(dataset), 4), epochs=3, position=position)
    assert len(sampler) == len(list(sampler)) == len(whole) - stop


def test_epochs_differ_and_may_go_on_forever(store):
    dataset = TokenDataset(store, crop_frames=12)
    endless = iter(token_loader(dataset, 4, epochs=None))
    orders = [[next(endless)["item"].tolist() for _ in range(7)] for _ in range(3)]
    assert orders[0] != orders[1] != orders[2]
    with pytest.raises(TypeError, match="never end"):
        len(token_loader(dataset, 4, epochs=None))


def test_plain_samplers_work_with_epochs_set_by_hand(store):
    dataset = TokenDataset(store, crop_frames=12)
    first = [dataset[i]["start_frame"] for i in range(len(dataset))]
    dataset.set_epoch(1)
    assert first != [dataset[i]["start_frame"] for i in range(len(dataset))]
    assert len(list(DataLoader(dataset, batch_size=4, shuffle=True, collate_fn=dataset.collate))) == 7


def test_nothing_to_show_is_an_error(store):
    with pytest.raises(ConfigError, match="none of 11 items has 100 frames"):
        TokenDataset(store, min_frames=100)
