"""Token stores as torch datasets: map-style and iterable, over processes and workers, resumed at any step.

dataset = TokenDataset(store, musicgen(store.header.codebook_sizes, 4), crop_frames=500)
loader = token_loader(dataset, batch_size=16, num_workers=2, position=checkpoint.get("position"))
for batch in loader:
    batch["tokens"], batch["mask"]          # [B, 4, S] int64 and bool
    checkpoint["position"] = batch["position"]   # where to go on after this batch
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from .order import Crops, Plan
from .store import TokenStore
from .views import View, parallel

Key = tuple[int, int, int]  # epoch, step, example
Position = dict[str, int]  # "epoch" and "step" of the batch to come


class TokenDataset(Dataset[dict[str, Any]]):
    """Examples by number (map-style): a view of an item or of a crop of it. A crop reads its own frames, no others.

    Where every item lies is looked up once (16 bytes an item), so that an example costs one short read of codes.

    Args:
        store: opened; workers open it anew.
        view: how codes are shown; default `views.parallel`, the codes as they are.
        crop_frames: of an example; default whole items.
        random_crops: see `order.Crops`.
        min_frames: shorter items are left out.
        items: numbers of the items to use, such as those of one set or voice; default all.
        seed: of the crops' places.
        fields: names of the store's fields that an example carries too, None where an item lacks one; "id" is the
            item's. They are read from the store's index, which costs milliseconds where a store has many shards.
    Raises:
        ConfigError: nothing to show.
    """

    def __init__(
        self,
        store: TokenStore,
        view: View | None = None,
        *,
        crop_frames: int | None = None,
        random_crops: bool = True,
        min_frames: int = 1,
        items: Sequence[int] | None = None,
        seed: int = 0,
        fields: Sequence[str] = (),
    ):
        self.store, self.fields = store, tuple(fields)
        self.view = view or parallel(store.header.codebook_sizes)
        self.crops = Crops(
            store.lengths, crop_frames, random=random_crops, min_frames=min_frames, items=items, seed=seed
        )
        self._shards, self._starts = _places(store)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the crops of another epoch, for samplers that give plain numbers; ours give the epoch with each."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self.crops)

    def __getitem__(self, key: int | Key) -> dict[str, Any]:
        """One example.

        Args:
            key: number, or (epoch, step, number) as `TokenBatchSampler` gives it.
        Returns:
            "tokens" int64 and "mask" bool, [steps] or [n_q, steps], see `views.View`; "item", its number in the store;
            "start_frame"; "fields"; "key".
        """
        key = (self.epoch, 0, int(key)) if isinstance(key, int) else key
        stretch = self.crops(key[0], key[2])
        first = int(self._starts[stretch.item]) + stretch.start
        codes = self.store.shard_codes(int(self._shards[stretch.item]))[first : first + stretch.frames].T
        row = self.view(codes)
        return {
            "tokens": torch.from_numpy(row.tokens),
            "mask": torch.from_numpy(row.mask),
            "item": stretch.item,
            "start_frame": stretch.start,
            "fields": self._fields(stretch.item) if self.fields else {},
            "key": key,
        }

    def _fields(self, number: int) -> dict[str, Any]:
        item = self.store[number]
        known = {"id": item.id, **item.fields}
        return {name: known.get(name) for name in self.fields}

    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """A batch of examples, filled at the end with the view's padding.

        Returns:
            "tokens" and "mask" [B, S] or [B, n_q, S]; "lengths" [B] in steps; "item" and "start_frame" [B]; "fields",
            a list; "position" of the batch after this one.
        """
        tokens = [example["tokens"] for example in examples]
        epoch, step, _ = examples[0]["key"]
        return {
            "tokens": _stacked(tokens, self.view.pad),
            "mask": _stacked([example["mask"] for example in examples], False),
            "lengths": torch.tensor([t.shape[-1] for t in tokens]),
            "item": torch.tensor([example["item"] for example in examples]),
            "start_frame": torch.tensor([example["start_frame"] for example in examples]),
            "fields": [example["fields"] for example in examples],
            "position": {"epoch": epoch, "step": step + 1},
        }


class TokenBatchSampler(Sampler[list[Key]]):
    """Batches for a map-style `DataLoader`: this process' share, from a position on, epoch after epoch.

    Args:
        plan: see `order.Plan`.
        epochs: the epoch to end before; None: never.
        position: "epoch" and "step" to start at, as a batch carries it; default the beginning.
    """

    def __init__(self, plan: Plan, *, epochs: int | None = 1, position: Position | None = None):
        self.plan, self.epochs, self.position = plan, epochs, position

    def __iter__(self) -> Iterator[list[Key]]:
        for epoch, step in batches(self.plan, self.epochs, self.position):
            yield [(epoch, step, int(example)) for example in self.plan.batch(epoch, step)]

    def __len__(self) -> int:
        """Batches to come. Raises TypeError where they never end."""
        if self.epochs is None:
            raise TypeError("with epochs=None the batches never end")
        epoch, step = _start(self.plan, self.position)
        return max((self.epochs - epoch) * self.plan.steps - step, 0)


class TokenStream(IterableDataset[dict[str, Any]]):
    """Whole batches one after the other (iterable): the same ones in the same order for any number of workers.

    Use it as `DataLoader(stream, batch_size=None, num_workers=n)`. Worker w of W makes batches w, w + W, ..., which is
    the order the loader takes them in.

    Args:
        dataset: where examples come from.
        plan, epochs, position: see `TokenBatchSampler`.
    """

    def __init__(self, dataset: TokenDataset, plan: Plan, *, epochs: int | None = 1, position: Position | None = None):
        self.dataset, self.sampler = dataset, TokenBatchSampler(plan, epochs=epochs, position=position)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        plan = self.sampler.plan
        for number, (epoch, step) in enumerate(batches(plan, self.sampler.epochs, self.sampler.position)):
            if number % stride == first:
                keys = ((epoch, step, int(example)) for example in plan.batch(epoch, step))
                yield self.dataset.collate([self.dataset[key] for key in keys])


def token_loader(
    dataset: TokenDataset,
    batch_size: int,
    *,
    rank: int | None = None,
    world: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    drop_last: bool = False,
    epochs: int | None = 1,
    position: Position | None = None,
    num_workers: int = 0,
) -> "DataLoader[dict[str, Any]]":
    """A `DataLoader` over a dataset, ready to iterate.

    Args:
        dataset: map-style.
        batch_size: examples a batch, in this process.
        rank, world: of this process; default those of `torch.distributed`, where it is running.
        seed, shuffle, drop_last: see `order.Plan`; with several processes that step together set `drop_last`.
        epochs: the epoch to end before; None: never.
        position: of a batch of an earlier run: it goes on with the batch after that one.
        num_workers: processes that read; 0 reads in line. The batches do not depend on it.
    """
    running = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank = (torch.distributed.get_rank() if running else 0) if rank is None else rank
    world = (torch.distributed.get_world_size() if running else 1) if world is None else world
    plan = Plan(len(dataset), batch_size, world, rank, seed, shuffle, drop_last)
    sampler = TokenBatchSampler(plan, epochs=epochs, position=position)
    return DataLoader(dataset, batch_sampler=sampler, collate_fn=dataset.collate, num_workers=num_workers)


def batches(plan: Plan, epochs: int | None, position: Position | None) -> Iterator[tuple[int, int]]:
    """Epoch and step of the batches to come, of which there may be no end."""
    epoch, step = _start(plan, position)
    while plan.steps and (epochs is None or epoch < epochs):
        yield epoch, step
        step += 1
        if step == plan.steps:
            epoch, step = epoch + 1, 0


def _places(store: TokenStore) -> tuple[np.ndarray, np.ndarray]:
    """Shard of every item, and the frame of the shard's codes at which it begins: [items] each."""
    starts = [np.zeros(0, np.int64)]
    for shard in store.shard_numbers:
        index = store.index(shard)
        starts.append(index.numbers("start")[index.is_ok()])
    counts = [len(some) for some in starts[1:]]
    return np.repeat(np.array(store.shard_numbers, dtype=np.int64), counts), np.concatenate(starts)


def _start(plan: Plan, position: Position | None) -> tuple[int, int]:
    """The position as epoch and step; behind the last step comes the next epoch's first."""
    epoch, step = (position["epoch"], position["step"]) if position else (0, 0)
    return (epoch + 1, 0) if step >= plan.steps else (epoch, step)


def _stacked(rows: Sequence[Tensor], fill: int | bool) -> Tensor:
    """[..., S] each to [B, ..., longest S]."""
    longest = max(row.shape[-1] for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (0, longest - row.shape[-1]), value=fill) for row in rows])
