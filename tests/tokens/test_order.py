"""Every example once an epoch in one process; any step of any epoch at once; crops that cover their items."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.errors import ConfigError
from audiocodec.tokens.order import Crops, Plan, permuted

plans = st.tuples(st.integers(0, 300), st.integers(1, 9), st.integers(1, 7), st.booleans())


@given(st.integers(1, 2000), st.integers(0, 2**32))
def test_the_shuffling_is_a_permutation(n, seed):
    keys = np.random.default_rng(seed).integers(2**64, size=4, dtype=np.uint64)
    out = permuted(np.arange(n), n, keys)
    assert sorted(out.tolist()) == list(range(n))
    some = np.random.default_rng(seed).integers(n, size=20)
    np.testing.assert_array_equal(permuted(some, n, keys), out[some])


def test_the_shuffling_looks_random():
    """Correlation of neighbours, and how often each tenth meets each tenth, as for a random permutation."""
    plan = Plan(10_000, 10_000, seed=1)
    order = plan.batch(0, 0)
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.04
    counts = np.histogram2d(np.arange(10_000), order, bins=10)[0]
    assert 50 < ((counts - 100) ** 2 / 100).sum() < 150  # chi-square of 81 degrees of freedom
    for other in (plan.batch(1, 0), Plan(10_000, 10_000, seed=2).batch(0, 0)):
        assert (other != order).mean() > 0.99


def test_a_billion_examples_need_no_table():
    assert len(set(Plan(10**9, 64, world=8, rank=3).batch(5, 10**6).tolist())) == 64


@given(plans, st.integers(0, 3), st.booleans())
def test_no_example_is_lost_or_seen_twice(plan, epoch, shuffle):
    n, batch_size, world, drop_last = plan
    ranks = [Plan(n, batch_size, world, rank, 7, shuffle, drop_last) for rank in range(world)]
    seen = [int(i) for p in ranks for step in range(p.steps) for i in p.batch(epoch, step)]
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(n))
    left = n % (batch_size * world) if drop_last else 0
    assert len(seen) == n - left
    steps = [p.steps for p in ranks]
    assert max(steps) - min(steps) <= (0 if drop_last else 1)
    if not shuffle:
        assert all((np.diff(p.batch(0, step)) == 1).all() for p in ranks for step in range(p.steps))


@given(st.integers(1, 200), st.integers(1, 4), st.integers(1, 4), st.integers(0, 9))
@settings(max_examples=30)
def test_more_processes_with_smaller_batches_take_the_same_steps(n, batch_size, world, seed):
    one = Plan(n, batch_size * world, seed=seed)
    many = [Plan(n, batch_size, world, rank, seed) for rank in range(world)]
    for step in range(one.steps):
        parts = [p.batch(2, step) for p in many if step < p.steps]
        np.testing.assert_array_equal(np.concatenate(parts), one.batch(2, step))


lengths = st.lists(st.integers(0, 50), min_size=1, max_size=15).filter(any)


@given(lengths, st.integers(1, 20))
def test_tiles_hold_every_frame_once(lengths, frames):
    crops = Crops(np.array(lengths), frames, random=False)
    stretches = [crops(0, i) for i in range(len(crops))]
    seen = Counter((s.item, t) for s in stretches for t in range(s.start, s.start + s.frames))
    assert seen == Counter({(i, t): 1 for i, length in enumerate(lengths) for t in range(length)})


@given(lengths, st.integers(1, 20), st.integers(0, 5))
def test_random_crops_lie_within_their_items(lengths, frames, epoch):
    crops = Crops(np.array(lengths), frames, seed=3)
    drawn = [crops(epoch, i) for i in range(len(crops))]
    assert {s.item for s in drawn} == {i for i, length in enumerate(lengths) if length}
    for s in drawn:
        assert 0 <= s.start and s.start + s.frames <= lengths[s.item] and s.frames == min(frames, lengths[s.item])


def test_random_crops_reach_every_place_and_follow_length():
    crops = Crops(np.array([1000, 100, 0, 104]), 100, seed=0)
    assert len(crops) == 10 + 1 + 1
    assert {crops(epoch, 11).start for epoch in range(60)} == set(range(5))
    assert crops(4, 3) == crops(4, 3) and len({crops(e, 3).start for e in range(20)}) > 15


def test_whole_items_and_the_ones_left_out():
    crops = Crops(np.array([5, 0, 9]), None, min_frames=6)
    assert len(crops) == 1 and (crops(0, 0).item, crops(0, 0).start, crops(0, 0).frames) == (2, 0, 9)
    with pytest.raises(ConfigError, match="none of 2 items has 10 frames"):
        Crops(np.array([5, 9]), None, min_frames=10)
    some = Crops(np.array([5, 7, 9]), None, items=[2, 0])
    assert [some(0, i).item for i in range(len(some))] == [2, 0]
    with pytest.raises(ConfigError, match="the store has 0 to 1"):
        Crops(np.array([5, 9]), None, items=[2])
    with pytest.raises(IndexError, match="has 1"):
        crops(0, 1)


@pytest.mark.parametrize("bad", [(0, 1, 0), (4, 2, 2), (4, 2, -1)])
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ConfigError, match="0 <= rank < world"):
        Plan(10, bad[0], bad[1], bad[2])
    with pytest.raises(ConfigError, match="steps 0 to 2"):
        Plan(10, 4).batch(0, 3)
