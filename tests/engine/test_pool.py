"""Threads that do one thing after another, as many as there are."""

import threading

import pytest

from imgconv.engine import pool
from imgconv.engine.pool import Pool


def refused(*_):
    """Start no thread, as the system does where there are too many."""
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("start", [pool.start_new_thread, refused, lambda *_: None])
def test_all_is_done_in_order(start, monkeypatch):
    """By threads, or by who waits: where none is started, or dies before it begins."""
    monkeypatch.setattr(pool, "start_new_thread", start)
    monkeypatch.setattr(pool, "LOOK", 0.001)
    with Pool(3) as threads:
        assert threads.size == (0 if start is refused else 3)
        last = threads.submit(lambda: "last")
        assert list(threads.map(lambda n: n * n, range(20))) == [n * n for n in range(20)]
        assert last.result() == last.result() == "last"


def test_what_is_raised_is_raised_where_it_is_waited_for():
    """And the thread goes on."""
    with Pool(1) as threads:
        failed, done = threads.submit(int, "x"), threads.submit(int, "3")
        with pytest.raises(ValueError, match="x"):
            failed.result()
        assert done.result() == 3


def test_the_end_waits_for_what_was_begun_and_begins_nothing():
    """What was begun may be writing a file."""
    begun, end, done = threading.Event(), threading.Event(), []

    def work(number):
        begun.set()
        end.wait()
        done.append(number)

    threads = Pool(1)
    for number in range(3):
        threads.submit(work, number)
    begun.wait()
    threading.Timer(0.05, end.set).start()
    threads.shutdown()
    assert done == [0]
