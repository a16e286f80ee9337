"""Starting codebooks and finding dead codewords."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2

from audiocodec.quantizers.codebook import Replacement, draw_replacements, k_means, path_order, perturbation
from audiocodec.quantizers.nearest import Table, nearest
from audiocodec.quantizers.randomness import generator_for
from tests.quantizers.makers import latents


def distortion(rows: torch.Tensor, codewords: torch.Tensor) -> float:
    return float((rows - codewords[nearest(rows, Table(codewords))]).square().sum(dim=1).mean())


def test_k_means_is_as_good_as_scipys():
    rows = torch.cat([latents(400, 3, seed=i) * 0.2 + 3 * latents(1, 3, seed=100 + i) for i in range(8)])
    ours = np.mean([distortion(rows, k_means(rows, 16, generator_for(seed))) for seed in range(5)])
    theirs = [kmeans2(rows.numpy(), 16, iter=10, minit="points", seed=seed)[0] for seed in range(5)]
    assert ours < 1.02 * np.mean([distortion(rows, torch.from_numpy(codewords)) for codewords in theirs])


@given(count=st.integers(1, 60), size=st.integers(2, 40), dim=st.integers(1, 5), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_any_number_of_latents_gives_a_full_finite_codebook(count, size, dim, seed):
    rows = latents(count, dim, seed=seed)
    codewords = k_means(rows, size, generator_for(seed))
    assert codewords.shape == (size, dim) and torch.isfinite(codewords).all()
    assert torch.equal(codewords, k_means(rows, size, generator_for(seed)))
    if count <= size:  # every latent has a codeword of its own
        assert distortion(rows, codewords) < 1e-9


def test_latents_that_are_all_alike_still_give_distinct_codewords():
    for rows in (torch.zeros(50, 4), torch.ones(3, 4)):
        codewords = k_means(rows, 16, generator_for(0))
        assert torch.isfinite(codewords).all() and distortion(rows, codewords) < 1e-6
    assert len(torch.unique(k_means(torch.ones(3, 4), 16, generator_for(0)), dim=0)) > 8


def test_short_path_through_few_points_is_near_the_shortest_of_all():
    points = latents(7, 2)
    distances = torch.cdist(points, points).numpy()

    def length(order: tuple[int, ...] | list[int]) -> float:
        return float(sum(distances[a, b] for a, b in pairwise(order)))

    best = min(length(order) for order in permutations(range(7)))
    assert length(path_order(points).tolist()) <= 1.1 * best


@given(size=st.integers(2, 80), dim=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_path_visits_every_point_once_and_is_shorter_than_chance(size, dim, seed):
    points = latents(size, dim, seed=seed)
    order = path_order(points)
    assert torch.equal(order.sort().values, torch.arange(size))
    length = (points[order][1:] - points[order][:-1]).norm(dim=1).sum()
    assert length <= (points[1:] - points[:-1]).norm(dim=1).sum() + 1e-5
    if dim == 1:  # on a line the shortest path is known
        assert length <= points.max() - points.min() + 1e-4


def test_when_a_replacement_is_due():
    care = Replacement(interval=50)
    assert [step for step in range(201) if care.due(step, None)] == [50, 100, 150, 200]
    assert [step for step in range(201) if care.due(step, 200)] == [50, 100, 150]
    assert [step for step in range(201) if Replacement(interval=50, stop=120).due(step, 1000)] == [50, 100]
    assert not any(Replacement(interval=0).due(step, None) for step in range(201))


def test_dead_is_below_the_share_of_a_fair_part():
    counts = torch.tensor([1000, 0, 9, 11, 980])  # fair: 400; one per cent of it: 4
    assert Replacement().dead(counts).tolist() == [False, True, False, False, False]
    assert Replacement(threshold=0.025).dead(counts).tolist() == [False, True, True, False, False]


def test_replacements_are_living_codewords_in_proportion_to_their_use():
    counts = torch.tensor([300, 0, 100, 1])
    dead = torch.tensor([False, True, False, True])
    drawn = torch.cat([draw_replacements(counts, dead, generator_for(seed)) for seed in range(2000)])
    share = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(share, torch.tensor([0.75, 0.0, 0.25, 0.0]), rtol=0, atol=0.03)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_perturbation_is_relative_to_the_codewords(scale):
    vectors = scale * latents(500, 8)
    noise = perturbation(vectors, generator_for(0))
    assert 0.9e-3 < float(noise.norm() / vectors.norm()) < 1.1e-3
    assert (vectors + noise != vectors).any(dim=1).all()


def test_generators_depend_on_every_seed():
    draws = {float(torch.rand(1, generator=generator_for(*seeds))) for seeds in [(0,), (1,), (0, 1), (1, 0), (0, 1, 2)]}
    assert len(draws) == 5
