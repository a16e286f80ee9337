"""What the tests of token stores share."""

from pathlib import Path

import pytest

from tests.tokens.corpus import make_corpus


@pytest.fixture(scope="session")
def model(tiny_codec, tmp_path_factory) -> Path:
    """The tiny codec as a model folder."""
    return tiny_codec.save_pretrained(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory) -> Path:
    """See make_corpus."""
    return make_corpus(tmp_path_factory.mktemp("corpus") / "audio")


@pytest.fixture(scope="session")
def reference(model, manifest, tmp_path_factory) -> Path:
    """The store of the corpus, shards of two seconds, coded one after the other in this process."""
    from audiocodec.tokens.engines.local import run_here
    from audiocodec.tokens.plan import pending
    from audiocodec.tokens.work import Settings, begin

    path = tmp_path_factory.mktemp("stores") / "reference"
    begin(path, [manifest], str(model), shard_seconds=2.0)
    assert all(result.marker for result in run_here(path, pending(path), Settings()))
    return path
