"""Workers that crash, hang and raise cost their own job and no other."""

import multiprocessing
import os

import pytest

from audiocodec.data.pool import Job, Pool
from tests.data import jobs


def run(pool, *todo):
    for job in todo:
        pool.submit(job)
    return list(pool.outcomes())


@pytest.fixture
def pool():
    with Pool(1, timeout_s=30) as pool:
        yield pool
    assert not multiprocessing.active_children()


def test_good_and_bad_jobs_side_by_side(pool):
    todo = [
        Job(jobs.double, (1,)),
        Job(jobs.crash, ()),
        Job(jobs.refuse, ()),
        Job(jobs.fail, ()),
        Job(jobs.double, (2,)),
    ]
    found = {outcome.job: outcome for outcome in run(pool, *todo)}
    one, crashed, refused, failed, two = (found[job] for job in todo)
    assert (one.value, two.value) == (2, 4) and not one.error and not two.error
    assert crashed.died and crashed.step == "second" and crashed.error == "the process died: SIGSEGV"
    assert not refused.died and (refused.error, refused.step) == ("no such thing", "refuse")
    assert (failed.error, failed.step) == ("ZeroDivisionError: by zero", "fail")


def test_a_worker_that_ends_without_a_word(pool):
    (outcome,) = run(pool, Job(jobs.quit_silently, ()))
    assert outcome.died and outcome.error == "the process died: exit code 3"


def test_a_job_that_hangs_is_ended_and_the_next_one_runs():
    with Pool(1, timeout_s=3) as pool:
        hung, good = run(pool, Job(jobs.hang, ()), Job(jobs.double, (3,)))
    assert hung.died and hung.error == "no answer in 3 s" and good.value == 6
    assert not multiprocessing.active_children()


def test_jobs_may_be_added_while_outcomes_come(pool):
    pool.submit(Job(jobs.double, (1,)))
    values = []
    for outcome in pool.outcomes():
        values.append(outcome.value)
        if len(values) < 4:
            pool.submit(Job(jobs.double, (outcome.value,)))
    assert values == [2, 4, 8, 16] and pool.n_unfinished == 0


def test_workers_have_one_thread_and_the_parent_keeps_its_own(pool, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    first, second = run(pool, Job(jobs.threads, ()), Job(jobs.threads, ()))
    assert first.value == second.value and first.value[0] == "1" and first.value[1] != os.getpid()
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_no_job_no_worker(pool):
    assert run(pool) == []


def test_workers_are_numbered_and_a_new_one_takes_the_number_of_the_dead():
    with Pool(2, timeout_s=30) as pool:
        found = run(pool, *(Job(jobs.slot, ()) for _ in range(4)), Job(jobs.crash, ()), *[Job(jobs.slot, ())] * 4)
    assert {outcome.value for outcome in found if not outcome.died} <= {0, 1}
    assert sum(outcome.died for outcome in found) == 1
