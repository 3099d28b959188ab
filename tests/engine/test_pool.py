"""The threads that run executions."""

import threading

from redgrease.engine.pool import Lane, Pool


class Jobs:
    """Jobs that report when they have begun, and end when they are told to."""

    def __init__(self, number):
        self.begun = [threading.Event() for _ in range(number)]
        self.ends = [threading.Event() for _ in range(number)]
        self.threads = [0] * number

    def job(self, number):
        def run():
            self.threads[number] = threading.get_ident()
            self.begun[number].set()
            assert self.ends[number].wait(20)

        return run

    def begins(self, number):
        assert self.begun[number].wait(20)
        return True

    def end_all(self):
        for end in self.ends:
            end.set()


def test_so_many_run_at_once():
    pool, jobs = Pool(2), Jobs(3)
    for number in range(3):
        pool.submit(jobs.job(number))
    assert jobs.begins(0)
    assert jobs.begins(1)
    assert not jobs.begun[2].is_set()
    jobs.ends[0].set()
    assert jobs.begins(2)
    jobs.end_all()
    pool.close()


def test_a_job_that_waits_is_replaced():
    pool, jobs = Pool(1), Jobs(2)

    def waiting():
        with pool.replaced():
            jobs.job(0)()

    pool.submit(waiting)
    pool.submit(jobs.job(1))
    assert jobs.begins(0)
    assert jobs.begins(1)
    jobs.end_all()
    pool.close()


def test_other_threads_are_not_counted():
    pool, jobs = Pool(1), Jobs(2)
    pool.submit(jobs.job(0))
    pool.submit(jobs.job(1))
    assert jobs.begins(0)
    with pool.replaced():
        assert not jobs.begun[1].wait(0.01)
    jobs.end_all()
    pool.close()


def test_a_failing_job_costs_no_thread():
    pool, jobs = Pool(1), Jobs(1)
    pool.submit(lambda: 1 // 0)
    pool.submit(jobs.job(0))
    assert jobs.begins(0)
    jobs.end_all()
    pool.close()


def test_a_lost_thread_is_made_up_for_until_it_comes_back():
    pool, jobs = Pool(1), Jobs(4)
    for number in range(4):
        pool.submit(jobs.job(number))
    assert jobs.begins(0)
    pool.lose_thread(jobs.threads[0])
    pool.lose_thread(jobs.threads[0])
    pool.lose_thread(0)
    assert jobs.begins(1)
    assert not jobs.begun[2].is_set()
    jobs.ends[0].set()
    assert not jobs.begun[2].wait(0.01)
    jobs.ends[1].set()
    assert jobs.begins(2)
    assert not jobs.begun[3].is_set()
    jobs.end_all()
    pool.close()


def test_a_lane_keeps_the_order():
    pool, seen, done = Pool(3), [], threading.Event()
    lane = Lane(pool)
    for number in range(200):
        lane.submit(lambda number=number: seen.append(number))
    lane.submit(done.set)
    assert done.wait(20)
    assert seen == list(range(200))
    pool.close()


def test_a_lane_goes_on_beside_a_job_that_waits():
    pool, jobs = Pool(1), Jobs(3)
    lane = Lane(pool)

    def waiting():
        with pool.replaced():
            jobs.job(0)()

    lane.submit(waiting)
    lane.submit(jobs.job(1))
    lane.submit(jobs.job(2))
    assert jobs.begins(0)
    assert jobs.begins(1)
    assert not jobs.begun[2].is_set()
    jobs.ends[0].set()
    assert not jobs.begun[2].wait(0.01)
    jobs.ends[1].set()
    assert jobs.begins(2)
    jobs.end_all()
    pool.close()
