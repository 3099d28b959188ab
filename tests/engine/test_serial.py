import threading

from redgrease.engine.serial import Serial

TIMEOUT = 10


def test_jobs_run_in_order_on_one_thread():
    serial, ran, done = Serial("test"), [], threading.Event()
    for number in range(100):
        serial.submit(lambda number=number: ran.append((number, threading.get_ident())))
    serial.submit(done.set)
    assert done.wait(TIMEOUT)
    assert [number for number, _ in ran] == list(range(100))
    assert len({thread for _, thread in ran}) == 1
    serial.close()


def test_a_job_that_fails_does_not_stop_the_others(caplog):
    serial, done = Serial("test"), threading.Event()
    serial.submit(lambda: 1 / 0)
    serial.submit(done.set)
    assert done.wait(TIMEOUT)
    assert "ZeroDivisionError" in caplog.text
    serial.close()


def test_a_job_can_hand_over_and_go_on_beside_the_next():
    serial = Serial("test")
    order, threads = [], []
    go_on, ended = threading.Event(), threading.Event()

    def waits():
        serial.hand_over(lambda: order.append("first of the new thread"), threads.append)
        assert go_on.wait(TIMEOUT)
        order.append("rest of the job")
        ended.set()

    serial.submit(waits)
    serial.submit(lambda: (order.append("next job"), go_on.set()))
    assert ended.wait(TIMEOUT)
    assert order == ["first of the new thread", "next job", "rest of the job"]
    last = threading.Event()
    seen = []
    serial.submit(lambda: (seen.append(threading.get_ident()), last.set()))
    assert last.wait(TIMEOUT)
    assert seen == threads
    serial.close()
