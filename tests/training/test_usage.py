"""Codebook use counted by hand."""

import pytest
import torch

from audiocodec.training.usage import CodebookUsage


def test_dropped_codebooks_do_not_count():
    usage = CodebookUsage(2, 4, torch.device("cpu"))
    codes = torch.tensor([[[0, 1], [2, 2]], [[1, 1], [3, 3]]])  # [B=2, K=2, T=2]
    usage.add(codes, torch.tensor([1, 2]))
    assert usage.counts.tolist() == [[1, 3, 0, 0], [0, 0, 0, 2]]
    usage.add(codes, None)
    report = usage.report()
    assert report["tokens"] == [8, 6] and report["usage"] == [0.5, 0.5]
    assert report["effective_bits"][0] == pytest.approx(0.811, abs=1e-3)  # entropy of (2, 6) of 8
    assert report["perplexity"][0] == pytest.approx(2**0.811, abs=0.1)
    assert usage.counts.sum() == 0


def test_an_even_codebook_has_all_its_bits_and_an_unused_one_none():
    usage = CodebookUsage(2, 8, torch.device("cpu"))
    usage.add(torch.arange(8).expand(1, 2, 8), torch.tensor([1]))
    report = usage.report()
    assert report["effective_bits"] == [3.0, 0.0] and report["usage"] == [1.0, 0.0]
