"""Jobs in forked processes, which share what is loaded, and of which none waits for Python's lock.

The parent has no threads. It asks each worker for jobs by their places in the list, which all know
since the fork, and for the next one while it writes. How far each job is stands in memory that all
share. A worker has the disk take some outputs together, while it does the next. It ends when nobody
can ask it any more: its pipe tells so when all is done, when the run is interrupted, and when the
parent was killed. So signals are the parent's alone.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Container, Generator, Mapping, Sequence
from contextlib import suppress
from mmap import mmap
from typing import Any, NoReturn

from imgconv.compiled import cache, native
from imgconv.light import NamedTuple, Path
from imgconv.pictures import files, replacing
from imgconv.runs import service
from imgconv.runs.job import FAILED, Job, Outcome
from imgconv.runs.service import Attempt, Finish, Service
from imgconv.runs.task import PATIENCE, Task


def can_fork() -> bool:
    """Return whether this process can be forked: it has no threads, which would be missing."""
    if not hasattr(os, "fork") or sys.platform == "darwin":  # whose own libraries may crash then
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        import threading

        return threading.active_count() == 1


def run(
    attempt: Attempt, finish: Finish, todo: Sequence[Job], task: Task, jobs: int
) -> Generator[Outcome, None, None]:
    """Attempt the jobs, some at once, finish what they leave, and yield their outcomes in order."""
    crew = _Crew(attempt, finish, todo, task, jobs)
    try:
        crew.fill()
        for place in range(len(todo)):
            yield crew.outcome(place)
    finally:
        crew.dismiss()


class _Worker(NamedTuple):
    """A worker, as the parent knows it."""

    pid: int
    requests: int
    replies: int
    heard: bytearray
    held: set[int]  # the places of jobs that it was asked for


class _Crew:
    """The workers, what they hold and what they have done."""

    def __init__(
        self, attempt: Attempt, finish: Finish, todo: Sequence[Job], task: Task, size: int
    ) -> None:
        self._attempt, self._finish, self._todo = attempt, finish, todo
        self._task, self._size = task, size
        self._stages = mmap(-1, len(todo))  # a byte for each job
        self._workers: list[_Worker] = []
        self._poll = select.poll()
        self._next = 0
        self._back: deque[int] = deque()  # what workers held when they died
        self._again: set[int] = set()  # of these, what may have been written
        self._done: dict[int, Outcome] = {}
        self._told: set[tuple[Any, ...]] = set()

    def fill(self) -> None:
        """Fork as many workers as are wanted, or fewer where the system gives no more."""
        gc.freeze()  # what they share is looked through by none, and so stays shared
        with suppress(OSError):
            while len(self._workers) < self._size and can_fork():
                self._fork()

    def outcome(self, place: int) -> Outcome:
        """Return what has come of a job, once all before it are told."""
        while place not in self._done:
            self._hand_out(place + service.AHEAD * self._size)
            if self._workers:
                self._listen()
            else:  # which is slower, but ends
                lost = self._take()
                self._done[lost] = self._attempt(self._todo[lost], self._how(lost))
        return self._done.pop(place)

    def dismiss(self) -> None:
        """Have nobody begin anything more, and wait for what is being written."""
        for worker in self._workers:
            os.close(worker.requests)
        try:
            self._wait()
        except KeyboardInterrupt:  # after which no other comes
            self._wait()
            raise

    def _wait(self) -> None:
        until = time.monotonic() + 2 * PATIENCE
        while self._workers:
            worker = self._workers[-1]
            if _is_ready(worker.replies, until) and os.read(worker.replies, 1 << 16):
                continue
            with suppress(ProcessLookupError):
                if time.monotonic() > until:
                    os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
            os.close(worker.replies)
            self._workers.pop()

    def _hand_out(self, end: int) -> None:
        """Ask for jobs up to a place: of each worker for one to do, while it writes another."""
        end = min(end, len(self._todo))
        for worker in self._workers:
            left = len(self._back) + end - self._next
            ready = service.WRITING if left >= len(self._workers) else service.SETTLING
            free = len(worker.held) < service.AHEAD  # what it holds is open
            if left > 0 and free and all(self._stages[p] >= ready for p in worker.held):
                place = self._take()
                self._stages[place] = service.ASKED
                worker.held.add(place)
                with suppress(BrokenPipeError):  # of which we hear at once
                    again = place in self._again
                    os.write(
                        worker.requests, (place << 1 | again).to_bytes(service.REQUEST, "little")
                    )

    def _take(self) -> int:
        if self._back:
            return self._back.popleft()
        self._next += 1
        return self._next - 1

    def _how(self, place: int) -> Task:
        return service.again_at(self._task) if place in self._again else self._task

    def _listen(self) -> None:
        """Wait until workers tell something."""
        for file, _ in self._poll.poll():
            worker = next(w for w in self._workers if w.replies == file)
            heard = os.read(file, 1 << 16)
            worker.heard.extend(heard)
            for kind, place, told in service.messages(worker.heard):
                self._hear(worker, kind, place, told)
            if not heard:
                self._bury(worker)

    def _hear(self, worker: _Worker, kind: int, place: int, told: tuple[Any, ...]) -> None:
        if kind == service.DONE:
            worker.held.remove(place)
            self._done[place] = Outcome._make(told)
        elif kind == service.UNREAD:
            raise BrokenPipeError
        elif kind == service.COMPILING:
            native.compiling(bool(place))
        elif (
            kind in (service.NOTE, service.HINT) and told not in self._told
        ):  # as one process says it, once
            self._told.add(told)
            (cache.warn if kind == service.NOTE else cache.hint)(*told)

    def _bury(self, worker: _Worker) -> None:
        """Go on without a worker: what it did has failed, and others do what it held besides."""
        self._workers.remove(worker)
        self._poll.unregister(worker.replies)
        os.close(worker.requests)
        os.close(worker.replies)
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        for place in worker.held:
            target = files.path(self._todo[place].target)
            if isinstance(target, Path):
                replacing.sweep(target)
        blamed = _blamed({p: self._stages[p] for p in sorted(worker.held)}, self._again)
        for place in blamed:
            worker.held.remove(place)
            job = self._todo[place]
            self._done[place] = Outcome(job.name, job.target, FAILED, _end(code))
        self._again.update(p for p in worker.held if self._stages[p] == service.SETTLING)
        self._back.extend(sorted(worker.held))
        begun = any(self._stages[p] != service.ASKED for p in worker.held)
        if not blamed and not begun:  # it did nothing, and so might another end
            self._size -= 1
        self.fill()

    def _fork(self) -> None:
        """Double this process; the new one does what it is asked for, and nothing of ours."""
        if sys.stdout is not None:
            sys.stdout.flush()  # what is buffered would be there twice
        ends: list[int] = []
        heeded = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
        try:
            ends += os.pipe()
            ends += os.pipe()
            asked, requests, replies, told = ends
            pid = os.fork()
            if not pid:  # with the signals blocked
                given = self._attempt, self._finish, self._todo, self._task, self._stages
                others = [requests, replies, *(f for w in self._workers for f in w[1:3])]
                _serve(Service(*given, asked, told), others)
            self._workers.append(_Worker(pid, requests, replies, bytearray(), set()))
            self._poll.register(replies, select.POLLIN)
            ends = [asked, told]
        finally:
            for file in ends:
                os.close(file)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _serve(worker: Service, others: Sequence[int]) -> NoReturn:
    """Be a worker, and nothing that the parent would do after; close its ends of all pipes."""
    code = 1
    try:
        for file in others:
            os.close(file)
        worker.serve()
        code = 0
    finally:
        os._exit(code)


def _blamed(held: Mapping[int, int], again: Container[int]) -> list[int]:
    """The jobs for which a worker died: what it wrote or else did, and what ends each of them."""
    by_stage = {stage: place for place, stage in held.items()}
    worst = by_stage.get(service.WRITING, by_stage.get(service.DOING))
    return [
        p for p, stage in held.items() if p == worst or (stage == service.SETTLING and p in again)
    ]


def _end(code: int) -> str:
    """What is said of a job during which its worker ended."""
    if code >= 0:
        return f"cannot be done: its process ended with {code}; please report it"
    name = signal.Signals(-code).name if -code in [*signal.Signals] else f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"is not done: its process was ended by {name}; if memory is short, try --jobs 1"
    return f"cannot be done: its process was ended by {name}; please report it"


def _is_ready(file: int, until: float) -> bool:
    """Wait until a pipe tells something, or its end, or for so long."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(max(0.0, until - time.monotonic()) * 1000))
