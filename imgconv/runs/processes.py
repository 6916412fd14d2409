"""Jobs in forked processes, which share what is loaded, and of which none waits for Python's lock.

The parent has no threads. It asks each worker for jobs by their places in the list, which all know
since the fork, and for the next one while it writes. A worker ends when nobody can ask it any more:
its pipe tells so when all is done, when the run is interrupted, and when the parent was killed. So
signals are the parent's alone.
"""

from __future__ import annotations

import gc
import marshal
import os
import select
import signal
import sys
import time
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from imgconv.compiled import cache, native
from imgconv.engine.pool import Pool
from imgconv.light import NamedTuple, Path
from imgconv.pictures import files, pillow, replacing
from imgconv.runs.job import FAILED, Job, Outcome
from imgconv.runs.task import PATIENCE, Gate, Task

Attempt = Callable[[Job, Task], Outcome]
AHEAD = 4  # jobs for each worker that may be done before the one that is told next
SMALL = 16 << 20  # bytes of a file on whose way to the disk the next picture is begun
REQUEST, LENGTH = 8, 4  # bytes of a request, and of what tells how long a message is
# What workers tell, of a job first: it is done until its output is encoded and written, and is on
# its way to the disk then.
WRITING, SETTLING, DONE, UNREAD, NOTE, HINT, COMPILING = range(7)
DOING = -1  # what goes without saying


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
    attempt: Attempt, todo: Sequence[Job], task: Task, jobs: int
) -> Generator[Outcome, None, None]:
    """Attempt the jobs, some at once, and yield their outcomes in order."""
    crew = _Crew(attempt, todo, task, jobs)
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
    held: dict[int, int]  # how far jobs are, by their places


class _Crew:
    """The workers, what they hold and what they have done."""

    def __init__(self, attempt: Attempt, todo: Sequence[Job], task: Task, size: int) -> None:
        self._attempt, self._todo, self._task, self._size = attempt, todo, task, size
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
            self._hand_out(place + AHEAD * self._size)
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
            ready = (SETTLING, WRITING) if left >= len(self._workers) else (SETTLING,)
            if left > 0 and all(stage in ready for stage in worker.held.values()):
                place = self._take()
                worker.held[place] = DOING
                with suppress(BrokenPipeError):  # of which we hear at once
                    again = place in self._again
                    os.write(worker.requests, (place << 1 | again).to_bytes(REQUEST, "little"))

    def _take(self) -> int:
        if self._back:
            return self._back.popleft()
        self._next += 1
        return self._next - 1

    def _how(self, place: int) -> Task:
        return _again(self._task) if place in self._again else self._task

    def _listen(self) -> None:
        """Wait until workers tell something."""
        for file, _ in self._poll.poll():
            worker = next(w for w in self._workers if w.replies == file)
            heard = os.read(file, 1 << 16)
            worker.heard.extend(heard)
            for kind, place, told in _messages(worker.heard):
                self._hear(worker, kind, place, told)
            if not heard:
                self._bury(worker)

    def _hear(self, worker: _Worker, kind: int, place: int, told: tuple[Any, ...]) -> None:
        if kind in (WRITING, SETTLING):
            worker.held[place] = kind
        elif kind == DONE:
            del worker.held[place]
            self._done[place] = Outcome._make(told)
        elif kind == UNREAD:
            raise BrokenPipeError
        elif kind == COMPILING:
            native.compiling(bool(place))
        elif kind in (NOTE, HINT) and told not in self._told:  # as one process says it, once
            self._told.add(told)
            (cache.warn if kind == NOTE else cache.hint)(*told)

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
        blamed = _blamed(worker.held, self._again)
        for place in blamed:
            del worker.held[place]
            job = self._todo[place]
            self._done[place] = Outcome(job.name, job.target, FAILED, _end(code))
        self._again.update(p for p, stage in worker.held.items() if stage == SETTLING)
        self._back.extend(sorted(worker.held))
        if not blamed and not worker.held:  # it did nothing, and so might another end
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
                _serve(
                    _Service(self._attempt, self._todo, self._task, asked, told),
                    [requests, replies, *(f for w in self._workers for f in w[1:3])],
                )
            self._workers.append(_Worker(pid, requests, replies, bytearray(), {}))
            self._poll.register(replies, select.POLLIN)
            ends = [asked, told]
        finally:
            for file in ends:
                os.close(file)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class _Service:
    """What a worker does: one picture after the other, the next while one goes to the disk."""

    def __init__(
        self, attempt: Attempt, todo: Sequence[Job], task: Task, asked: int, told: int
    ) -> None:
        self._attempt, self._todo, self._asked, self._told = attempt, todo, asked, told
        self._turn, self._telling, self._place = allocate_lock(), allocate_lock(), 0
        self._gate = Gate(lambda: self._tell(WRITING, self._place))
        self._task = task._replace(gate=self._gate)

    def serve(self) -> None:
        """Do what is asked for, until nobody can ask any more."""
        pillow.keep_memory(arenas=1)
        cache.warn = lambda text: self._tell(NOTE, 0, text)
        cache.hint = lambda text: self._tell(HINT, 0, text)
        native.compiling = lambda done: self._tell(COMPILING, int(done))
        native.helped = False  # the other workers have the other cores
        pool = Pool(2)
        while request := os.read(self._asked, REQUEST):
            number = int.from_bytes(request, "little")
            if pool.size:
                pool.submit(self._do, number >> 1, number & 1)
            else:  # the system gives no threads
                self._do(number >> 1, number & 1)
        self._gate.close()

    def _do(self, place: int, again: int) -> None:
        """Do a job; while the disk takes its output, the other thread has its turn."""
        self._turn.acquire()
        held, self._place = True, place

        def settle(file: int) -> None:
            nonlocal held
            self._tell(SETTLING, place)
            if held and os.fstat(file).st_size <= SMALL:
                held = False
                self._turn.release()
            os.fsync(file)

        task = self._task._replace(settle=settle)
        try:
            outcome = self._attempt(self._todo[place], _again(task) if again else task)
            if held:
                self._turn.release()
            self._tell(DONE, place, *outcome)
        except BrokenPipeError:
            self._tell(UNREAD, place)
        except BaseException:
            os._exit(1)

    def _tell(self, kind: int, place: int, *what: Any) -> None:
        data = marshal.dumps((kind, place, what))
        data = len(data).to_bytes(LENGTH, "little") + data
        with self._telling:
            while data:
                data = data[os.write(self._told, data) :]


def _serve(service: _Service, others: Sequence[int]) -> NoReturn:
    """Be a worker, and nothing that the parent would do after; close its ends of all pipes."""
    code = 1
    try:
        for file in others:
            os.close(file)
        service.serve()
        code = 0
    finally:
        os._exit(code)


def _again(task: Task) -> Task:
    """The task for what a worker has perhaps written that died before it told."""
    return task._replace(again=True, skip_existing=False)


def _blamed(held: dict[int, int], again: Container[int]) -> list[int]:
    """The jobs for which a worker died: what it wrote or else did, and what ends each of them."""
    by_stage = {stage: place for place, stage in reversed(held.items())}
    worst = by_stage.get(WRITING, by_stage.get(DOING))
    return [p for p, stage in held.items() if p == worst or (stage == SETTLING and p in again)]


def _end(code: int) -> str:
    """What is said of a job during which its worker ended."""
    if code >= 0:
        return f"cannot be done: its process ended with {code}; please report it"
    name = signal.Signals(-code).name if -code in [*signal.Signals] else f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"is not done: its process was ended by {name}; if memory is short, try --jobs 1"
    return f"cannot be done: its process was ended by {name}; please report it"


def _messages(heard: bytearray) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """Take the messages that have come whole out of what was heard."""
    while len(heard) >= LENGTH:
        end = LENGTH + int.from_bytes(heard[:LENGTH], "little")
        if len(heard) < end:
            return
        message = marshal.loads(heard[LENGTH:end])
        del heard[:end]
        yield message


def _is_ready(file: int, until: float) -> bool:
    """Wait until a pipe tells something, or its end, or for so long."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(max(0.0, until - time.monotonic()) * 1000))
