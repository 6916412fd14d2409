"""What happens on a worker of a Dask scheduler: the same as here, or a word why not."""

from __future__ import annotations

import functools
import pickle
import sysconfig
import zlib
from collections.abc import Sequence
from typing import Any

import PIL

import imgconv
from imgconv.errors import ClusterError
from imgconv.light import NamedTuple
from imgconv.pictures import files, pillow
from imgconv.runs import batch
from imgconv.runs.job import Job, Outcome
from imgconv.runs.task import Task


class Versions(NamedTuple):
    """What must be alike here and on the workers, for the same bytes."""

    imgconv: str
    python: str
    pillow: str
    zlib: str


HERE = Versions(
    imgconv.__version__,
    sysconfig.get_python_version(),
    PIL.__version__,
    zlib.ZLIB_RUNTIME_VERSION,
)


class Call(NamedTuple):
    """A call of `work`, which happens where its pickle is loaded.

    So the scheduler, which looks into tasks, needs no imgconv.
    """

    jobs: tuple[Job, ...]
    task: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what `pickle` calls."""
        return work, (tuple(map(tuple, self.jobs)), self.task, tuple(HERE))


def work(
    jobs: Sequence[tuple[str, str, str, bytes]], task: bytes, client: tuple[str, ...]
) -> list[Outcome]:
    """Do the jobs on a worker, until the client no longer wants them."""
    if client != HERE:
        raise ClusterError(difference(Versions(*client), HERE))
    pillow.keep_memory()
    wanted = _task(task)
    done: list[Outcome] = []
    for job in map(Job._make, jobs):
        if _cancelled():
            break
        # Of a file here the client has seen to that; a store would keep it waiting for each.
        skips = wanted.skip_existing and files.is_url(job.target)
        outcome = batch.attempt(job, wanted._replace(skip_existing=skips))
        done.append(outcome._replace(name="", output=""))
    return done


@functools.lru_cache(maxsize=4)
def _task(packed: bytes) -> Task:
    """The task, unpacked once, so that what its kernels keep serves all pictures."""
    task: Task = pickle.loads(packed)
    return task


def _cancelled() -> bool:
    """Whether the task of Dask's in this thread is no longer wanted."""
    from distributed import get_worker

    worker = get_worker()
    state = worker.state.tasks.get(worker.get_current_task())
    return state is None or state.state == "cancelled"


def difference(client: Versions, worker: Versions) -> str:
    """Return what a worker has otherwise than the client."""
    for name, here, there in zip(Versions._fields, client, worker, strict=True):
        if not isinstance(there, str):  # not there, or an error
            return f"has no {name}; install imgconv {client.imgconv} there"
        if here != there:
            return f"has {name} {there}, and this is {here}; install the same on both"
    return ""
