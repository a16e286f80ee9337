"""Every view is undone exactly, shows every code once, and its mask tells codes from special tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.errors import ConfigError, ShapeError
from audiocodec.tokens.patterns import Delay, Flat
from audiocodec.tokens.views import VIEWS, View, coarse_first, delay, flat, make_view, moshi, musicgen, parallel
from audiocodec.tokens.vocabulary import PAD, Vocabulary


@st.composite
def items(draw, max_frames=12):
    """Codebook sizes, codes [K, T] below them, and a number of codebooks to look at."""
    sizes = draw(st.lists(st.integers(1, 65536), min_size=1, max_size=6))
    frames = draw(st.integers(0, max_frames))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = np.stack([rng.integers(size, size=frames) for size in sizes]).astype(np.uint16)
    return tuple(sizes), codes, draw(st.integers(1, len(sizes)))


@st.composite
def any_view(draw, sizes, n_q):
    """Any pattern with any vocabulary, and with or without marks at the ends."""
    delays = st.lists(st.integers(0, 9), min_size=n_q, max_size=n_q).map(lambda d: Delay(tuple(d)))
    cuts = st.sets(st.integers(1, n_q - 1)) if n_q > 1 else st.just(set())
    groups = cuts.map(lambda c: Flat(tuple(np.diff([0, *sorted(c), n_q]).tolist())))
    pattern = draw(st.one_of(delays, groups))
    vocabulary = Vocabulary(sizes[:n_q], draw(st.booleans()), ("eos", "pad", "bos", "x"), draw(st.integers(0, 99999)))
    return View(pattern, vocabulary, draw(st.sampled_from([None, "bos", "pad"])), draw(st.sampled_from([None, "eos"])))


@given(st.data())
def test_every_view_is_undone_exactly(data):
    sizes, codes, n_q = data.draw(items())
    view = data.draw(any_view(sizes, n_q))
    row = view(codes)
    back = view.invert(row.tokens)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, codes[:n_q])
    np.testing.assert_array_equal(view.finished(row.tokens), codes[:n_q])
    assert row.tokens.shape[-1] == view.steps(codes.shape[1]) == row.mask.shape[-1]


@given(st.data())
def test_the_mask_marks_every_code_once_and_cells_say_which(data):
    sizes, codes, n_q = data.draw(items())
    view = data.draw(any_view(sizes, n_q))
    row = view(codes)
    codebook, frame = view.cells(codes.shape[1])
    np.testing.assert_array_equal(row.mask, codebook >= 0)
    assert row.mask.sum() == codes[:n_q].size
    k, t = codebook[row.mask], frame[row.mask]
    assert len(set(zip(k.tolist(), t.tolist(), strict=True))) == codes[:n_q].size
    np.testing.assert_array_equal(row.tokens[row.mask], codes[k, t] + view.vocabulary.offsets[k])
    specials = {view.vocabulary.special(name) for name in view.vocabulary.specials}
    assert set(row.tokens[~row.mask].tolist()) <= specials
    assert all(int(token) not in specials for token in row.tokens[row.mask])


@given(items(), st.data())
def test_the_named_views_are_undone_too(item, data):
    sizes, codes, n_q = item
    view = make_view(data.draw(st.sampled_from(sorted(VIEWS))), sizes, n_q)
    np.testing.assert_array_equal(view.invert(view(codes).tokens), codes[:n_q])


@given(st.data())
def test_an_unfinished_row_gives_the_frames_that_are_whole(data):
    """What a model has written so far: exactly the frames whose every code has come."""
    sizes, codes, n_q = data.draw(items())
    pattern = data.draw(
        st.one_of(
            st.lists(st.integers(0, 5), min_size=n_q, max_size=n_q).map(lambda d: Delay(tuple(d))),
            st.just(Flat((n_q,))),
        )
    )
    view = View(pattern, Vocabulary(sizes[:n_q]), "bos", "eos")
    row = view(codes).tokens
    cut = data.draw(st.integers(1, row.shape[-1]))
    codebook, frame = view.cells(codes.shape[1])
    come = {(int(k), int(t)) for k, t in zip(codebook[..., :cut].ravel(), frame[..., :cut].ravel(), strict=True)}
    whole = [t for t in range(codes.shape[1]) if all((k, t) in come for k in range(n_q))]
    np.testing.assert_array_equal(view.finished(row[..., :cut]), codes[:n_q, : len(whole)])
    assert whole == list(range(len(whole)))


@given(st.data())
def test_a_changed_row_is_refused_or_gives_other_codes(data):
    """No other row is read as the same codes: the view is one to one."""
    sizes, codes, n_q = data.draw(items())
    view = data.draw(any_view(sizes, n_q))
    tokens = view(codes).tokens.copy()
    if not tokens.size:
        return
    place = data.draw(st.integers(0, tokens.size - 1))
    tokens.ravel()[place] = (tokens.ravel()[place] + data.draw(st.integers(1, view.vocabulary.size - 1))) % (
        view.vocabulary.size
    )
    if np.array_equal(tokens, view(codes).tokens):
        return
    try:
        back = view.invert(tokens)
    except ShapeError:
        return
    assert not np.array_equal(back, codes[:n_q])


CODES = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype=np.uint16)
SIZES = (10, 10, 10)


def test_the_orders_written_out():
    assert flat(SIZES, ends=False)(CODES).tokens.tolist() == [1, 14, 27, 2, 15, 28, 3, 16, 29]
    assert flat(SIZES)(CODES).tokens[[0, -1]].tolist() == [31, 32]
    assert coarse_first(SIZES, ends=False)(CODES).tokens.tolist() == [1, 2, 3, 14, 15, 16, 27, 28, 29]
    assert coarse_first(SIZES, coarse=2, ends=False)(CODES).tokens.tolist() == [1, 14, 2, 15, 3, 16, 27, 28, 29]
    p = 10  # MusicGen's special token: the id after the codes
    assert musicgen(SIZES)(CODES).tokens.tolist() == [[p, 1, 2, 3, p, p], [p, p, 4, 5, 6, p], [p, p, p, 7, 8, 9]]
    assert moshi(SIZES)(CODES).tokens.tolist() == [[p, 1, 2, 3, p], [p, p, 4, 5, 6], [p, p, 7, 8, 9]]
    assert moshi(SIZES, acoustic_delay=2)(CODES).tokens[0].tolist() == [p, 1, 2, 3, p, p]
    assert parallel(SIZES, 2)(CODES).tokens.tolist() == CODES[:2].tolist()
    assert musicgen(SIZES, 2)(CODES).tokens.tolist() == [[p, 1, 2, 3, p], [p, p, 4, 5, 6]]


def test_a_vocabulary_survives_json_and_knows_its_ids():
    vocabulary = Vocabulary((4, 2), True, ("pad", "sep"), base=100)
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary
    assert list(vocabulary.ids(1)) == [104, 105] and vocabulary.special("sep") == 107 and vocabulary.size == 108
    assert vocabulary.to_dict()["offsets"] == [100, 104]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_view("spiral", SIZES), "known are flat"),
        (lambda: flat(SIZES, 4), "codebooks 1 to 3"),
        (lambda: delay(SIZES, (0, -1)), "0 or more"),
        (lambda: coarse_first(SIZES, coarse=3), "1 to 2"),
        (lambda: Vocabulary((4,), specials=("a", "a")), "once"),
        (lambda: View(Flat((2,)), Vocabulary((4, 4), specials=())), "not declared"),
        (lambda: View(Flat((2,)), Vocabulary((4,))), "2 codebooks"),
    ],
)
def test_contradictions_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: flat(SIZES)(CODES[0]), r"expected integers \[K, T\]"),
        (lambda: flat(SIZES)(CODES.astype(float)), "float64"),
        (lambda: flat(SIZES)(CODES + 5), r"allowed 0\.\.9"),
        (lambda: flat(SIZES).invert(flat(SIZES)(CODES).tokens[1:]), "does not begin with 'bos'"),
        (lambda: flat(SIZES).invert(flat(SIZES)(CODES).tokens[:-1]), "does not end with 'eos'"),
        (lambda: flat(SIZES, ends=False).invert(np.array([1, 2, 3])), r"allowed 10\.\.19"),
        (lambda: flat(SIZES, ends=False).invert(np.array([1, 14, 27, 3])), "finished"),
        (lambda: coarse_first(SIZES, ends=False).invert(np.array([1, 2])), "whole number of frames"),
        (lambda: musicgen(SIZES).invert(np.zeros(4, dtype=int)), r"expected integers \[3, steps\]"),
    ],
)
def test_what_is_no_row_of_a_view_is_refused(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_the_special_token_of_musicgen_is_the_id_after_the_codes():
    assert musicgen((1024,) * 4).pad == 1024 and musicgen((1024,) * 4).vocabulary.specials == (PAD,)
