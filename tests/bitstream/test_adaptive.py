"""Adaptive statistics: what is coded comes back, estimates are honest, every machine chooses alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.bitstream.adaptive import FLAG_REPEATS, AdaptiveModel, _log2, best_parameter
from audiocodec.bitstream.range_coder import RangeDecoder, RangeEncoder
from audiocodec.errors import BitstreamError


def encode(layer: np.ndarray, size: int, parameter: int) -> bytes:
    encoder, model = RangeEncoder(), AdaptiveModel(size, parameter)
    for stream in layer.tolist():
        model.begin()
        for symbol in stream:
            model.encode(encoder, symbol, 0)
    return encoder.finish()


def decode(data: bytes, shape: tuple[int, int], size: int, parameter: int) -> np.ndarray:
    decoder, model = RangeDecoder(data), AdaptiveModel(size, parameter)
    rows = []
    for _ in range(shape[0]):
        model.begin()
        rows.append([model.decode(decoder, 0) for _ in range(shape[1])])
    decoder.check_end()
    return np.array(rows, dtype=np.int64).reshape(shape)


@given(
    size=st.integers(2, 70) | st.sampled_from([1023, 1024, 4096, 4097, 65_536]),
    parameter=st.integers(0, 12).flatmap(lambda e: st.sampled_from([e, e | FLAG_REPEATS])),
    shape=st.tuples(st.integers(1, 3), st.integers(0, 60)),
    spread=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_symbols_come_back(size, parameter, shape, spread, seed):
    rng = np.random.default_rng(seed)
    layer = rng.integers(0, max(1, round(size * spread)), shape)
    assert (decode(encode(layer, size, parameter), shape, size, parameter) == layer).all()


def test_counts_that_are_full_stay_as_they_are():
    layer = np.random.default_rng(0).integers(0, 3, (1, 400))
    parameter = 12 | FLAG_REPEATS  # increments of 2048: full after 31 codes
    assert (decode(encode(layer, 16, parameter), (1, 400), 16, parameter) == layer).all()
    encoder, model = RangeEncoder(), AdaptiveModel(16, 12)
    for symbol in layer[0].tolist():
        model.encode(encoder, symbol, 0)
    assert model._total == 16 + 31 * 2048
    assert sum(model._frequency) == model._total


@pytest.mark.parametrize("parameter", [13, 15, 32, 255])
def test_unknown_parameters_are_refused(parameter):
    with pytest.raises(BitstreamError, match="not known"):
        AdaptiveModel(16, parameter)


@pytest.mark.parametrize("kind", ["uniform", "skewed", "still"])
def test_the_estimate_is_the_size_of_the_bytes(kind):
    rng = np.random.default_rng(1)
    layer = {
        "uniform": rng.integers(0, 1000, (1, 250)),
        "skewed": (1000 * rng.random((1, 250)) ** 6).astype(int),
        "still": np.repeat(rng.integers(0, 1000, (1, 25)), 10, axis=1),
    }[kind]
    parameter, bits = best_parameter([layer], (1000,))
    assert abs(8 * len(encode(layer, 1000, parameter)) - bits) <= 12
    sizes = {p: len(encode(layer, 1000, p | r)) for p in (0, 1, 3, 5, 7, 9) for r in (0, FLAG_REPEATS)}
    assert len(encode(layer, 1000, parameter)) <= min(sizes.values()) + 1


def test_what_never_changes_costs_almost_nothing_and_noise_costs_what_it_must():
    still = np.full((1, 250), 700)
    assert best_parameter([still], (1024,))[1] < 30
    noise = np.random.default_rng(2).integers(0, 1024, (1, 250))
    assert best_parameter([noise], (1024,))[1] == 2500


def test_the_integer_logarithm_is_the_logarithm():
    numbers = [1, 2, 3, 1000, 1023, 1024, 65_535, 65_536]
    for number in numbers:
        assert abs(_log2()[number] / 4096 - math.log2(number)) < 1 / 4096
    assert _log2().dtype == np.int64


def test_every_machine_chooses_alike():
    # Figures of one machine: a change of the choice changes the bytes of files, so it must be deliberate.
    rng = np.random.default_rng(3)
    layers = [rng.integers(0, used, (2, 100)) for used in (1024, 60, 4)]
    layers.append(np.repeat(layers[0][:, :10], 10, axis=1))
    assert [best_parameter([layer], (1024,)) for layer in layers] == [(0, 2000), (7, 1541), (9, 461), (16, 291)]
