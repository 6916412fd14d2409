"""Many inputs on the workers of a Dask scheduler, with the same outcomes as `batch.run`."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from imgconv.errors import ClusterError, OptionError, one_line, shortened
from imgconv.light import NamedTuple, Path
from imgconv.pictures import files, replacing
from imgconv.pictures.files import PIPE
from imgconv.runs import batch
from imgconv.runs.job import FAILED, OK, Job, Outcome
from imgconv.runs.scheduler import ANSWER, connect, refuse_other_workers, sent
from imgconv.runs.task import Task
from imgconv.runs.worker import HERE, Call

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK = 0.5  # seconds between looks at whether the scheduler is still there
COUNT = 2.0  # seconds between counts of the workers, which come and go
SECONDS = 1.0  # of work in a group, for which the scheduler takes 2.5 ms
RATE = 100  # groups a second, which keep it a quarter busy; more workers have larger ones
FIRST, MOST, GROWTH = 4, 2000, 4  # pictures in the first groups and in any; from one to the next
WAITING = 3  # groups that a thread of a worker has, one being done
AHEAD = 16  # groups that a thread may be ahead of one that takes long


class Group(NamedTuple):
    """Jobs that a worker does as one task, and their places among all; alone if under suspicion."""

    places: tuple[int, ...]
    future: Future[Any]
    alone: bool


def run(
    todo: Sequence[Job], task: Task, address: str, tell: Callable[[str], None]
) -> Generator[Outcome, None, None]:
    """Do the jobs on the workers of a scheduler, or on so many processes here (local:N).

    Raises
    ------
    OptionError
        At once, if there is no such scheduler, or it cannot do these jobs.
    ClusterError
        While outcomes are taken, if the scheduler goes away.
    """
    _refuse_unfit(todo, task)
    links = contextlib.ExitStack()
    try:
        client = connect(address, links)
        refuse_other_workers(client, todo)
    except BaseException:
        links.close()
        raise
    return _Run(todo, task, address, client, tell).outcomes(links)


def _refuse_unfit(todo: Sequence[Job], task: Task) -> None:
    if any(PIPE in (job.source, job.target) for job in todo):
        raise OptionError("--scheduler has workers for files alone; leave out stdin and stdout")
    if any(name.startswith("memory:") for job in todo for name in (job.source, job.target)):
        raise OptionError("memory:// is of this process alone; workers have their own")
    if not task.writing.force:
        return
    for job in todo:
        if files.place(job.source) == files.place(job.target):
            raise OptionError(
                f"{job.name} would be written over itself, which a second attempt after a "
                "worker's death would filter twice; name another output"
            )


class _Run:
    """Groups of jobs on their way to the workers and back."""

    def __init__(
        self,
        todo: Sequence[Job],
        task: Task,
        address: str,
        client: Client,
        tell: Callable[[str], None],
    ) -> None:
        self._todo, self._task, self._address = todo, task, address
        self._client, self._tell = client, tell
        self._packed = pickle.dumps(
            task._replace(again=True, preview=None), pickle.HIGHEST_PROTOCOL
        )
        self._key = f"imgconv-{os.urandom(6).hex()}"
        self._begun = 0  # jobs
        self._groups = 0
        self._size = FIRST
        self._flying: dict[Any, Group] = {}
        self._back: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._outcomes: dict[int, Outcome] = {}
        self._suspects: deque[int] = deque()
        self._threads, self._counted = 0, 0.0
        self._seen: float | None = time.monotonic()  # workers, last; None once a note is told

    def outcomes(self, links: contextlib.ExitStack) -> Generator[Outcome, None, None]:
        """Yield the outcomes in the order of the jobs."""
        with links:
            try:
                for place in range(len(self._todo)):
                    while place not in self._outcomes:
                        self._send(place)
                        if place not in self._outcomes:
                            self._receive()
                    yield self._outcomes.pop(place)
            finally:
                self._cancel()

    def _cancel(self) -> None:
        futures = [group.future for group in self._flying.values()]
        if futures and self._client.status == "running":
            with contextlib.suppress(Exception):
                self._client.cancel(futures, force=True)

    def _send(self, head: int) -> None:
        """Send so many groups that no thread of a worker has to wait for one."""
        if self._suspects:  # one by one, so that a worker's death tells of whom it is
            if not self._flying:
                self._submit([(self._suspects.popleft(),)], alone=True)
            return
        threads = max(1, self._count())
        limit = head + AHEAD * threads * self._size
        groups: list[tuple[int, ...]] = []
        while len(self._flying) + len(groups) < WAITING * threads and self._begun < limit:
            # The last groups are small, so that all workers end at one time.
            rest = (len(self._todo) - self._begun) // (2 * threads)
            group = self._next(max(1, self._size // 16, min(self._size, rest)))
            if not group:
                break
            groups.append(group)
        if groups:
            self._submit(groups, alone=False)

    def _next(self, count: int) -> tuple[int, ...]:
        """The next jobs that are not settled here, by what exists already."""
        places: list[int] = []
        last = min(len(self._todo), self._begun + count)
        while self._begun < last:
            place, self._begun = self._begun, self._begun + 1
            outcome = self._settled(self._todo[place])
            if outcome:
                self._outcomes[place] = outcome
            else:
                places.append(place)
        return tuple(places)

    def _settled(self, job: Job) -> Outcome | None:
        """What becomes of a job whose output exists: on the worker it may be of a first attempt."""
        here = not files.is_url(job.target)
        if self._task.writing.force or not (here and os.path.lexists(job.target)):
            return None
        outcome = batch.attempt(job, self._task._replace(dry=True))
        return None if outcome.status == OK else outcome

    def _submit(self, groups: list[tuple[int, ...]], *, alone: bool) -> None:
        keys = [f"{self._key}-{self._groups + i}" for i in range(len(groups))]
        self._groups += len(groups)
        calls = [
            pickle.dumps(Call(tuple(map(self._job, places)), self._packed), pickle.HIGHEST_PROTOCOL)
            for places in groups
        ]
        futures = self._client.map(pickle.loads, calls, key=keys, pure=False)
        for key, places, future in zip(keys, groups, futures, strict=True):
            self._flying[key] = Group(places, future, alone)
            future.add_done_callback(self._back.put)

    def _job(self, place: int) -> Job:
        job = self._todo[place]
        return job._replace(source=sent(job.source), target=sent(job.target))

    def _count(self) -> int:
        """How many threads the workers have; a note if there has been none for a while."""
        now = time.monotonic()
        if now - self._counted > COUNT:
            with contextlib.suppress(OSError):
                found = self._client.scheduler_info(n_workers=0)
                self._threads, self._counted = found.get("total_threads", 0), now
        if self._threads:
            self._seen = now
        elif self._seen is not None and now - self._seen > ANSWER:
            self._seen = None
            self._tell(f"waiting for workers; dask worker {self._address} starts one")
        return self._threads

    def _receive(self) -> None:
        """Wait for groups that are done, and take their outcomes."""
        try:
            back = [self._back.get(timeout=LOOK)]
        except queue.Empty:
            back = []
        with contextlib.suppress(queue.Empty):
            while True:
                back.append(self._back.get_nowait())
        if self._client.status != "running" or any(f.status == "cancelled" for f in back):
            raise self._gone()
        finished = {future.key: future for future in back if future.status == "finished"}
        try:
            found = self._client.gather(finished, errors="skip") if finished else {}
        except Exception:
            raise self._gone() from None
        for future in back:
            if future.status == "error":
                self._failed(future)
            elif found.get(future.key) is None:  # its worker died with it; it is done once more
                future.add_done_callback(self._back.put)
            else:
                self._take(self._flying.pop(future.key), found[future.key])

    def _gone(self) -> ClusterError:
        return ClusterError(
            f"the scheduler at {self._address} has gone; "
            "the same command with --resume goes on where this one stopped"
        )

    def _take(self, group: Group, outcomes: list[Outcome]) -> None:
        for place, outcome in zip(group.places, outcomes, strict=True):
            self._outcomes[place] = self._as_given(place, outcome)
        seconds = sum(outcome.seconds for outcome in outcomes) / len(outcomes)
        wanted = SECONDS * max(1, self._threads / RATE)
        fit = round(wanted / max(seconds, wanted / MOST))
        self._size = max(1, min(fit, MOST, GROWTH * self._size))

    def _as_given(self, place: int, outcome: Outcome) -> Outcome:
        """The outcome with the names that the user gave."""
        job, sent, error = self._todo[place], self._job(place), outcome.error
        for far, near in ((sent.target, job.target), (sent.source, job.source)):
            error = error.replace(far, near)
        return outcome._replace(name=job.name, output=job.target, error=error)

    def _failed(self, future: Future[Any]) -> None:
        """Find out which picture workers died of, or stop where workers cannot do anything."""
        from distributed import KilledWorker

        error = future.exception()
        if isinstance(error, ClusterError):
            raise ClusterError(f"a worker {error}")
        if not isinstance(error, KilledWorker):
            said = shortened(one_line(error), 100)
            raise ClusterError(
                f"a worker cannot do its work: {type(error).__name__}: {said}; "
                f"install imgconv {HERE.imgconv} there"
            )
        group = self._flying.pop(future.key)
        if not group.alone:
            self._suspects.extend(group.places)
            return
        (place,) = group.places
        job = self._todo[place]
        if not files.is_url(job.target):
            replacing.sweep(Path(job.target))
        self._outcomes[place] = Outcome(
            job.name, job.target, FAILED, "every worker that read it died; has it enough memory?"
        )
