"""Static tables: their file, their training, what they save on codes that have structure."""

import zlib

import numpy as np
import pytest

from audiocodec.bitstream.range_coder import RangeDecoder, RangeEncoder
from audiocodec.bitstream.tables import MAGIC, LayerTable, TableModel, Tables
from audiocodec.bitstream.train_tables import bits_per_code, train_tables
from audiocodec.errors import BitstreamError, ConfigError, ShapeError
from tests.bitstream.samples import make_markov, markov_tables

SIZES = (16, 16, 16)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return markov_tables()


def test_tables_round_trip_as_a_file(tables):
    back = Tables.from_bytes(tables.to_bytes())
    assert back.id == tables.id
    assert len(back.id) == 8
    for one, other in zip(back.layers, tables.layers, strict=True):
        for name in ("previous_class", "above_class", "repeat", "frequency"):
            assert (getattr(one, name) == getattr(other, name)).all()


def test_the_identity_follows_the_contents_not_the_compression(tables):
    body = zlib.decompress(tables.to_bytes()[len(MAGIC) :])
    assert Tables.from_bytes(MAGIC + zlib.compress(body, 0)).id == tables.id
    changed = tables.layers[0].frequency.copy()
    changed[0, 0], changed[0, 1] = changed[0, 1], changed[0, 0]
    layer = LayerTable(tables.layers[0].previous_class, tables.layers[0].above_class, tables.layers[0].repeat, changed)
    assert Tables((layer, *tables.layers[1:])).id != tables.id


def test_trained_tables_come_close_to_what_the_source_allows(tables):
    # make_markov: a tenth of the codes is any of 16; the others repeat (1/2), or go up by 1 or 2 (1/4 each).
    likely = np.array([0.5, 0.25, 0.25]) * 0.9 + 0.1 / 16
    entropy = -(likely * np.log2(likely)).sum() - 13 * 0.1 / 16 * np.log2(0.1 / 16)
    fresh = make_markov(8, 200, seed=5)
    bits = bits_per_code(tables, fresh, 50)
    assert (bits > entropy - 0.2).all()
    assert bits[0] < entropy + 0.25  # 2 % are frames without one before, and 2400 codes teach 240 numbers
    assert (bits < 2.7).all()  # the others depend on the code above, which so few codes cannot teach


def test_the_code_above_is_used_where_it_tells(tables):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 16, 4000)
    codes = np.stack([first, (first * 5 + rng.integers(0, 2, 4000)) % 16])
    trained = train_tables([codes], (16, 16), packet_frames=100, max_rows=32)
    assert trained.layers[1].n_above >= 8
    assert bits_per_code(trained, [codes], 100)[1] < 1.5  # of 4; the source has 1


def test_repeats_are_coded_apart_where_that_pays():
    rng = np.random.default_rng(1)
    codes = np.repeat(rng.integers(0, 256, (1, 1500)), rng.integers(1, 9, 1500), axis=1)
    trained = train_tables([codes], (256,), packet_frames=250, max_rows=4)
    assert (trained.layers[0].repeat > 40_000).all()
    assert bits_per_code(trained, [codes], 250)[0] < 3.2  # of 8; the source has about 2.5


def test_the_cost_told_is_the_cost_paid(tables):
    codes = make_markov(1, 50, seed=8)[0]
    encoder = RangeEncoder()
    for k, layer in enumerate(tables.layers):
        model = TableModel(layer)
        for t, code in enumerate(codes[k].tolist()):
            model.encode(encoder, code, int(codes[k - 1, t]) if k else 0)
    data = encoder.finish()
    assert abs(8 * len(data) - 50 * bits_per_code(tables, [codes], 50).sum()) < 12
    decoder = RangeDecoder(data)
    for k, layer in enumerate(tables.layers):
        model = TableModel(layer)
        assert [model.decode(decoder, int(codes[k - 1, t]) if k else 0) for t in range(50)] == codes[k].tolist()


def test_training_on_channels_and_recordings_is_the_same():
    recordings = make_markov(8, 100)
    apart = train_tables(recordings, SIZES, packet_frames=50, max_rows=4)
    together = train_tables([np.stack(recordings)], SIZES, packet_frames=50, max_rows=4)
    assert apart.id == together.id


def test_training_refuses_what_it_cannot_use():
    recordings = make_markov(2, 100)
    with pytest.raises(ConfigError, match="at least 8 packets"):
        train_tables(recordings, SIZES, packet_frames=50)
    with pytest.raises(ConfigError, match="up to 8192"):
        train_tables(recordings, (16, 16, 16_384))
    with pytest.raises(ShapeError, match=r"\[2, T\]"):
        train_tables(recordings, (16, 16))
    with pytest.raises(ShapeError, match="outside 0 to 3"):
        train_tables(make_markov(9, 100), (4, 16, 16), packet_frames=50)


def test_rows_that_cannot_be_coded_with_are_refused(tables):
    good = tables.layers[0]
    for changes in (
        {"frequency": np.zeros_like(good.frequency)},
        {"frequency": good.frequency[:, :8]},
        {"frequency": good.frequency + np.uint16(1)},
        {"previous_class": np.full_like(good.previous_class, 255)},
        {"above_class": np.full_like(good.above_class, 255)},
        {"repeat": np.zeros(len(good.repeat) + 1, dtype=np.uint16)},
    ):
        parts = {name: getattr(good, name) for name in ("previous_class", "above_class", "repeat", "frequency")}
        with pytest.raises(BitstreamError):
            Tables.from_bytes(Tables((LayerTable(**(parts | changes)),)).to_bytes())


def test_damaged_tables_are_refused(tables):
    data = tables.to_bytes()
    for bad in (b"", data[:-1], data[:40], data + b"more", b"RIFF" + data[4:], MAGIC + zlib.compress(b"\x00")):
        with pytest.raises(BitstreamError):
            Tables.from_bytes(bad)
    rng = np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        with pytest.raises(BitstreamError):  # zlib's own checksum sees to it
            Tables.from_bytes(bytes(changed))


def test_tables_that_inflate_without_end_are_refused():
    bomb = MAGIC + zlib.compress(bytes(80_000_000), 9)
    assert len(bomb) < 100_000
    with pytest.raises(BitstreamError, match="cut off, or larger"):
        Tables.from_bytes(bomb)
