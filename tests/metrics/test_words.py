"""Word errors are edit distances."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.metrics.words import word_errors

words = st.lists(st.sampled_from("abc"), max_size=6)


@pytest.mark.parametrize(
    ("spoken", "heard", "errors"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a c", "a b c", 1),
        ("a b c", "a x c", 1),
        ("a b", "b a", 2),
    ],
)
def test_known_distances(spoken, heard, errors):
    assert word_errors(spoken.split(), heard.split()) == errors


@given(words, words, words)
def test_it_is_a_distance(a, b, c):
    assert word_errors(a, b) == word_errors(b, a)
    assert (word_errors(a, b) == 0) == (a == b)
    assert word_errors(a, c) <= word_errors(a, b) + word_errors(b, c)
    assert abs(len(a) - len(b)) <= word_errors(a, b) <= max(len(a), len(b))
