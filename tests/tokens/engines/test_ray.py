"""Ray on a cluster of two nodes, simulated on this machine: the same bytes, also when a node goes while it works."""

import os
from pathlib import Path

import pytest

from audiocodec.tokens.engines import Failed
from audiocodec.tokens.engines.on_ray import run_ray
from audiocodec.tokens.plan import pending
from audiocodec.tokens.work import Settings, begin
from tests.tokens.corpus import files_of

pytest.importorskip("ray.data")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of two cores each; the second may be taken away."""
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    )
    node = {"num_cpus": 2, "object_store_memory": 100 << 20}
    checks = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": checks})
    cluster.second = cluster.add_node(**node)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.parametrize("lost", [False, True])
def test_ray_gives_the_same_bytes(cluster, lost, model, manifest, tmp_path, reference):
    store = tmp_path / "tokens"
    begin(store, [manifest], str(model), shard_seconds=2.0)
    results = []
    for result in run_ray(store, pending(store), Settings(), address=cluster.address):
        if lost and not results:
            cluster.remove_node(cluster.second, allow_graceful=False)
        results.append(result)
    assert not [result for result in results if isinstance(result, Failed)]
    assert files_of(store) == files_of(reference)
    assert list(run_ray(store, pending(store), Settings(), address=cluster.address)) == []
