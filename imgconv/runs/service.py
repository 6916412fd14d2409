"""What a forked worker does: one job after the other, and meanwhile the end of those before."""

from __future__ import annotations

import marshal
import math
import os
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from mmap import mmap
from typing import Any

from imgconv.compiled import cache, native
from imgconv.engine.pool import Empty, Pool, SimpleQueue
from imgconv.light import NamedTuple
from imgconv.pictures import pillow
from imgconv.runs.job import Job, Outcome
from imgconv.runs.task import Gate, Left, Task

Attempt = Callable[[Job, Task], Outcome]
Finish = Callable[[Job, Task, Outcome], Outcome]
SMALL = 16 << 20  # bytes of a file on whose way to the disk the next picture is begun
# So many outputs the disk takes together, of those that are there within so many seconds: it takes
# each by itself in twice the time.
TOGETHER, WHILE = 8, 0.03
# Jobs for each worker that may be done before the one that is told next.
AHEAD = TOGETHER + 4
REQUEST, LENGTH = 8, 4  # bytes of a request, and of what tells how long a message is
# How far a job is: asked for, begun, done until its output is encoded and written, and that too but
# for its way to the disk.
ASKED, DOING, WRITING, SETTLING = range(4)
# What workers tell: they can be asked for more, what has come of a job, and what else there is.
READY, DONE, UNREAD, NOTE, HINT, COMPILING = range(6)


class _Written(NamedTuple):
    """A job whose output is written, but for its end."""

    place: int
    job: Job
    task: Task
    outcome: Outcome


class Service:
    """What a worker does: one picture after the other, and while it does, the end of those before.

    Three threads: one hears what is asked for, and that nobody asks any more; one does it; and one
    waits for the disk.
    """

    def __init__(
        self, attempt: Attempt, finish: Finish, todo: Sequence[Job], task: Task, stages: mmap,
        asked: int, told: int,
    ) -> None:  # fmt: skip
        self._attempt, self._finish, self._todo, self._stages = attempt, finish, todo, stages
        self._asked, self._told, self._telling = asked, told, allocate_lock()
        self._place = 0  # of what is done
        self._heard, self._begun = 0, 0  # jobs, each counted by one thread
        self._gate = Gate(lambda: self._reach(self._place, WRITING))
        self._task = task._replace(gate=self._gate)
        self._written: SimpleQueue[_Written | None] = SimpleQueue()  # None: take what there is
        self._later = False

    def serve(self) -> None:
        """Do what is asked for, until nobody can ask any more."""
        pillow.keep_memory(arenas=1)
        cache.warn = lambda text: self._tell(NOTE, 0, text)
        cache.hint = lambda text: self._tell(HINT, 0, text)
        native.compiling = lambda done: self._tell(COMPILING, int(done))
        native.helped = False  # the other workers have the other cores
        pool = Pool(1)
        with suppress(RuntimeError):  # the system gives no threads
            start_new_thread(self._settle, ())
            self._later = True
        while request := os.read(self._asked, REQUEST):
            number = int.from_bytes(request, "little")
            self._heard += 1
            if pool.size:
                pool.submit(self._do, number >> 1, number & 1)
            else:
                self._do(number >> 1, number & 1)
        self._written.put(None)
        self._gate.close()

    def _do(self, place: int, again: int) -> None:
        """Do a job; what it writes is ended with others, but if large, or begun once before."""
        self._begun += 1
        self._place, left = place, Left() if self._later else None
        self._stages[place] = DOING
        job, task = self._todo[place], self._task._replace(left=left)
        task = again_at(task) if again else task
        try:
            outcome = self._attempt(job, task)
            if left and left.ending:
                self._reach(place, SETTLING)
                written = _Written(place, job, task, outcome)
                if again or left.ending.size > SMALL:
                    self._end([written])
                else:
                    self._written.put(written)
            else:
                self._tell(DONE, place, *outcome)
            if self._heard == self._begun:
                self._written.put(None)
        except BrokenPipeError:
            self._tell(UNREAD, place)
        except BaseException:
            os._exit(1)

    def _settle(self) -> None:
        """End what is written, as much together as is there soon."""
        try:
            while True:
                together: list[_Written] = []
                until = math.inf
                while len(together) < TOGETHER and (left := until - time.monotonic()) > 0:
                    try:
                        written = self._written.get(timeout=None if left == math.inf else left)
                    except Empty:
                        break
                    if written is None:
                        break
                    together.append(written)
                    until = min(until, time.monotonic() + WHILE)
                self._end(together)
        except BaseException:
            os._exit(1)

    def _end(self, together: Sequence[_Written]) -> None:
        """Have the disk take outputs together, and tell what has come of them."""
        for written in together:
            assert written.task.left
            assert written.task.left.ending
            written.task.left.ending.begin()
        told = [(DONE, w.place, tuple(self._finish(*w[1:]))) for w in together]
        self._send(b"".join(map(message, told)))

    def _reach(self, place: int, stage: int) -> None:
        """Note how far a job is, from where on another can be asked for, if none is."""
        self._stages[place] = stage
        if self._heard == self._begun:
            self._tell(READY, place)

    def _tell(self, kind: int, place: int, *what: Any) -> None:
        self._send(message((kind, place, what)))

    def _send(self, data: bytes) -> None:
        """Tell, if anybody hears: the other pipe tells that nobody does, and nothing is cut off."""
        with self._telling, suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._told, data) :]


def again_at(task: Task) -> Task:
    """The task for what a worker has perhaps written that died before it told."""
    return task._replace(again=True, skip_existing=False)


def message(told: tuple[int, int, tuple[Any, ...]]) -> bytes:
    """A message as it is sent."""
    data = marshal.dumps(told)
    return len(data).to_bytes(LENGTH, "little") + data


def messages(heard: bytearray) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """Take the messages that have come whole out of what was heard."""
    while len(heard) >= LENGTH:
        end = LENGTH + int.from_bytes(heard[:LENGTH], "little")
        if len(heard) < end:
            return
        message = marshal.loads(heard[LENGTH:end])
        del heard[:end]
        yield message
