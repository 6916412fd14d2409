"""The way to a Dask scheduler, and whether its workers would do what this process would."""

from __future__ import annotations

import contextlib
import logging
import os
import pydoc
import re
import socket
import sysconfig
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imgconv.errors import OptionError, one_line, shortened
from imgconv.pictures import files
from imgconv.runs.job import Job
from imgconv.runs.worker import HERE, Versions, difference

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[^\]]+\]|[^/:\[\]]+):(\d{1,5})")
LOCAL = re.compile(r"local:([1-9]\d{0,3})")
ANSWER = 10.0  # seconds that a scheduler may take to answer, and workers to come before a note


def connect(address: str, links: contextlib.ExitStack) -> Client:
    """Return a client; the links undo what was begun."""
    local, remote = LOCAL.fullmatch(address), ADDRESS.fullmatch(address)
    if not local and not (remote and int(remote[3]) < 65536):
        raise OptionError(
            f"--scheduler {shortened(address)!r} is neither tcp://HOST:PORT nor local:N, as local:4"
        )
    if remote:
        _knock(address, remote[2].strip("[]"), int(remote[3]))
    try:
        import dask
        import distributed
    except ImportError:
        raise OptionError("--scheduler needs Dask; pip install 'imgconv[dask]' brings it") from None
    logging.disable(logging.CRITICAL)  # what Dask and Tornado log is told by our own errors
    links.callback(logging.disable, logging.NOTSET)
    links.enter_context(dask.config.set({
        "distributed.diagnostics.computations.nframes": 0,  # our source, with each task
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": ANSWER,
    }))  # fmt: skip
    try:
        if local:
            place = distributed.LocalCluster(
                n_workers=int(local[1]), threads_per_worker=1, host="127.0.0.1",
                dashboard_address="127.0.0.1:0", memory_limit=0,
            )  # fmt: skip
            links.callback(_quietly, place.close, 10)
            client = distributed.Client(place, set_as_default=False)
        else:
            client = distributed.Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ImportError, ValueError, RuntimeError) as error:
        said = shortened(one_line(error), 100)
        raise OptionError(
            f"no Dask scheduler of this version answers at {address}: {said}"
        ) from None
    links.callback(_quietly, client.close, 2)
    return client


def _knock(address: str, host: str, port: int) -> None:
    """Refuse at once where nobody listens, or no scheduler does; Dask would wait without end."""
    remedy = "start one (dask scheduler), or take local:N"
    try:
        with socket.create_connection((host, port), ANSWER) as line:
            line.settimeout(ANSWER)
            # A scheduler greets first, with the length of its message: 8 bytes, the low ones first.
            greeting = line.recv(8) if address.startswith("tcp:") else bytes(8)
    except TimeoutError:
        raise OptionError(f"no scheduler answers at {address}; {remedy}") from None
    except OSError as error:
        raise OptionError(
            f"no scheduler at {address}: {error.strerror or error}; {remedy}"
        ) from None
    if greeting[-1:] != b"\0":
        raise OptionError(f"what answers at {address} is no Dask scheduler; {remedy}")


def _quietly(close: Callable[[float], Any], seconds: float) -> None:
    """Close what may be gone already."""
    with contextlib.suppress(Exception):
        close(seconds)


def refuse_other_workers(client: Client, todo: Sequence[Job]) -> None:
    """Refuse workers that would not do what this process would; those that come later do it."""

    def ask(what: Callable[..., Any], *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = client.run(what, *arguments, on_error="return")
        return {worker: it for worker, it in found.items() if not isinstance(it, OSError)}  # gone

    imgconvs = ask(pydoc.locate, "imgconv.__version__")
    pythons = ask(sysconfig.get_python_version)
    pillows = ask(pydoc.locate, "PIL.__version__")
    zlibs = ask(pydoc.locate, "zlib.ZLIB_RUNTIME_VERSION")
    asked = imgconvs, pythons, pillows, zlibs
    for worker in set.intersection(*map(set, asked)):
        found = Versions(*(each[worker] for each in asked))
        if found != HERE:
            raise OptionError(f"the worker {worker} {difference(HERE, found)}")
    known = [job.source for job in todo[:1] if os.path.exists(job.source)]
    for source in known:
        for worker, seen in ask(os.path.exists, sent(source)).items():
            if not seen:
                raise OptionError(
                    f"the worker {worker} does not see {sent(source)}; "
                    "give workers and this machine a file system in common"
                )


def sent(path: str) -> str:
    """Return a name as workers understand it: they are in another folder."""
    return path if files.is_url(path) else os.path.abspath(path)
