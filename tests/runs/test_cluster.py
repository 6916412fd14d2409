"""Batches on Dask's workers: real schedulers and workers, and what their deaths leave behind."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from imgconv.errors import OptionError
from imgconv.pictures import files
from imgconv.runs import scheduler
from tests.images import noise, saved

PYTHON = (sys.executable, "-m")
IMGCONV = (*PYTHON, "imgconv")
ENDING = 30  # seconds in which everything that was told to end has ended

needs_dask = pytest.mark.skipif(
    not importlib.util.find_spec("distributed"), reason="Dask is not installed"
)

POISON = """
import os
from imgconv.pictures import files
def poisoned(source, *rest, read=files.read):
    data = read(source, *rest)
    if data == b"poison":
        os._exit(1)
    return data
files.read = poisoned
"""

# So that a batch lasts without many or large pictures.
SLOW = """
import time
from imgconv.pictures import files
def slow(*arguments, read=files.read):
    time.sleep(0.02)
    return read(*arguments)
files.read = slow
"""


class Cluster(NamedTuple):
    """A scheduler, a nanny of two workers, and what commands of the client begin with."""

    address: str
    scheduler: subprocess.Popen
    nanny: subprocess.Popen
    prefix: tuple[str, ...] = ()


@contextlib.contextmanager
def started(folder: Path, host: str = "127.0.0.1", places=((), ())) -> Iterator[Cluster]:
    """Start a scheduler and two workers, in sessions of their own; `places` begin commands."""
    here, there = places
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://{host}:{free.getsockname()[1]}"
    dask = [
        *PYTHON, "distributed.cli.dask_scheduler", "--no-dashboard", "--host", address,
        "--scheduler-file", str(folder / "listening"),
    ]  # fmt: skip
    worker = [
        *PYTHON, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1",
        "--no-dashboard", "--local-directory", str(folder / "dask"),
    ]  # fmt: skip
    (folder / "elsewhere").mkdir()
    with contextlib.ExitStack() as ending:
        running = []
        for command in ([*here, *dask], [*there, *worker]):
            process = subprocess.Popen(
                command, cwd=folder / "elsewhere", stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            ending.callback(killed, process)
            running.append(process)
        wait_for(folder / "listening", running[0])
        yield Cluster(address, *running, tuple(here))


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Wait until a process has made a file."""
    until = time.monotonic() + ENDING
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


def killed(process: subprocess.Popen) -> None:
    """Kill a process and those in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_worker(nanny: subprocess.Popen) -> None:
    """Kill one of the workers that a nanny watches."""
    import psutil

    for child in psutil.Process(nanny.pid).children():
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()
            return
    raise AssertionError("the nanny has no worker")


def pictures(folder: Path, count: int, size: tuple[int, int] = (40, 30)) -> Path:
    """Save different pictures, and return their folder."""
    source = folder / "in"
    source.mkdir()
    chance = np.random.default_rng(5)
    for i in range(count):
        samples = chance.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(samples).save(source / f"{i:04}.png", compress_level=1)
    return source


def contents(folder: Path) -> dict[str, bytes]:
    """Return the names and bytes of all files, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def apply(*arguments: object, kernel="sharpen", prefix=(), **options) -> subprocess.Popen:
    """Begin `imgconv apply` with a kernel, as a process with pipes."""
    command = [*prefix, *IMGCONV, "apply", *map(str, arguments), "-k", kernel]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def finished(process: subprocess.Popen) -> tuple[int, list[str], list[str]]:
    """Return the exit code and the lines of stdout and stderr."""
    with process:  # `communicate` would drop what is buffered behind lines that were read
        out, err = process.stdout.read(), process.stderr.read()
    return process.returncode, out.splitlines(), err.splitlines()


def told(lines: list[str]) -> list[dict]:
    """Return the objects of --json without their times."""
    objects = [json.loads(line) for line in lines]
    for each in objects:
        del each["seconds"]
    return objects


def after(count: int, process: subprocess.Popen) -> list[str]:
    """Wait until so many outcomes are told."""
    return [process.stdout.readline() for _ in range(count)]


@needs_dask
def test_workers_do_what_this_process_does(tmp_path):
    """The same bytes, outcomes, order and messages: of good, broken, missing and existing files."""
    pictures(tmp_path, 150)
    (tmp_path / "in/0007.png").write_text("no picture")
    (tmp_path / "in/0011.png").unlink()
    (tmp_path / "in/0013.png").write_bytes(saved(noise(), "TIFF"))  # which is not to be opened
    np.save(tmp_path / "in/0017.npy", np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9))
    names = "\n".join(f"in/{i:04}.png" for i in range(150))
    (tmp_path / "names").write_text(names.replace("0017.png", "0017.npy"))
    (tmp_path / "own.toml").write_text("[mine]\nweights = [[0, 1, 2], [0, 3, 0]]\ndivisor = 6\n")
    arguments = [
        "--files-from", "names", "--catalog", "own.toml", "-o", "out/", "--json",
        "--formats", "png,npy", "--axes", "CHW", "--levels", "clip",
        "--border", "constant", "--fill", "#ff8000",
    ]  # fmt: skip
    results = []
    for further in ([], ["--scheduler", "local:2"]):
        (tmp_path / "out").mkdir()
        (tmp_path / "out/0003.png").write_text("mine")
        code, out, err = finished(apply(*arguments, *further, cwd=tmp_path, kernel="mine"))
        (tmp_path / "out").rename(tmp_path / f"out{len(results)}")
        results.append((code, told(out), err[:-1], contents(tmp_path / f"out{len(results)}")))
        assert err[-1].startswith("imgconv: 150 inputs: 146 written, 4 failed")
    assert results[0][0] == 1
    assert results[1] == results[0]


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what tells that a file was written once more."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def dies(tmp_path: Path, cluster: Cluster, count: int, run: Callable) -> None:
    """Kill a worker and then, in another run, the scheduler, in the middle of a batch."""
    source = tmp_path / "in"
    arguments = [source, "--recursive", "--json", "-q"]
    done = run("apply", *arguments, "-k", "sharpen", "-o", f"{tmp_path}/local/")
    assert done.code == 0
    right, wanted = contents(tmp_path / "local"), told(done.text.splitlines())

    remote = [*arguments, "--scheduler", cluster.address]
    running = apply(*remote, "-o", f"{tmp_path}/out/", prefix=cluster.prefix)
    first = after(count // 10, running)
    kill_worker(cluster.nanny)
    code, out, err = finished(running)
    assert (code, err) == (0, [])
    for each in wanted:
        each["output"] = each["output"].replace("/local/", "/out/")
    assert told(first + out) == wanted
    assert contents(tmp_path / "out") == right

    running = apply(*remote, "-o", f"{tmp_path}/half/", prefix=cluster.prefix)
    first = after(count // 10, running)
    cluster.scheduler.kill()
    code, out, err = finished(running)
    assert (code, len(err)) == (1, 1)
    assert err[0] == (
        f"imgconv: the scheduler at {cluster.address} has gone; "
        "the same command with --resume goes on where this one stopped"
    )
    cluster.nanny.terminate()
    cluster.nanny.wait(ENDING)
    half = contents(tmp_path / "half")
    assert half.items() <= right.items()
    assert len(half) < count

    left = identities(tmp_path / "half")
    resumed = run("apply", *arguments, "-k", "sharpen", "-o", f"{tmp_path}/half/", "--resume")
    assert (resumed.code, resumed.err) == (0, "")
    assert contents(tmp_path / "half") == right
    # What was right is read at most, never written again.
    assert left.items() <= identities(tmp_path / "half").items()
    known = {each["input"] for each in told(first + out)}
    again = told(resumed.text.splitlines())
    assert {each["input"] for each in again if each["status"] == "skipped"} == known


@needs_dask
def test_a_death_costs_no_file(tmp_path, run):
    """Of a worker: a retry; of the scheduler: one line, and what is there is whole."""
    pictures(tmp_path, 100)
    (tmp_path / "slow.py").write_text(SLOW)
    slowly = ("env", f"DASK_DISTRIBUTED__WORKER__PRELOAD={tmp_path / 'slow.py'}")
    with started(tmp_path, places=((), slowly)) as cluster:
        dies(tmp_path, cluster, 100, run)


@needs_dask
@pytest.mark.cluster
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="network namespaces are root's to make"
)
def test_a_death_on_another_machine_costs_no_file(tmp_path, run):
    """The workers in a network of their own, as on another machine; 2,000 pictures."""
    pictures(tmp_path, 2000, (200, 150))
    here, there = (f"imgconv-{os.getpid()}-{end}" for end in "ab")
    with contextlib.ExitStack() as ending:
        for name in (here, there):
            if subprocess.run(["ip", "netns", "add", name], check=False).returncode:
                pytest.skip("no network namespaces")
            ending.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        link = f"ip link add v0 netns {here} type veth peer name v0 netns {there}"
        subprocess.run(link.split(), check=True)
        for i, name in enumerate((here, there), 1):
            for command in (f"addr add 10.77.0.{i}/24 dev v0", "link set v0 up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *command.split()], check=True)
        places = [("ip", "netns", "exec", name) for name in (here, there)]
        cluster = ending.enter_context(started(tmp_path, "10.77.0.1", places))
        dies(tmp_path, cluster, 2000, run)


@needs_dask
def test_a_picture_that_kills_workers_fails_alone(tmp_path):
    """Every other one of its group is done, but for those whose outputs are to be kept."""
    source = pictures(tmp_path, 30)
    (source / "0013.png").write_bytes(b"poison")
    (source / "0014.png").write_text("no picture")
    (tmp_path / "poison.py").write_text(POISON)
    (tmp_path / "out").mkdir()
    kept = {f"{name}.png": b"mine" for name in ("0003", "0012", "0029")}
    for name, data in kept.items():
        (tmp_path / "out" / name).write_bytes(data)
    environment = {
        **os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": str(tmp_path / "poison.py"),
    }  # fmt: skip
    code, out, err = finished(
        apply(source, "--recursive", "-o", f"{tmp_path}/out/", "--scheduler", "local:1", "-q",
              "--skip-existing", "--json", env=environment)
    )  # fmt: skip
    assert (code, len(err)) == (1, 2)
    assert "0013.png: every worker that read it died" in err[0]
    assert "0014.png: not an image" in err[1]
    status = {Path(each["input"]).name: each["status"] for each in told(out)}
    assert status == {
        path.name: "skipped"
        if path.name in kept
        else "failed"
        if path.stem in ("0013", "0014")
        else "ok"
        for path in sorted(source.iterdir())
    }
    found = contents(tmp_path / "out")
    assert sorted(found) == [name for name in status if status[name] != "failed"]
    assert kept.items() <= found.items()


@needs_dask
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_by_force_leaves_no_worker_behind(number, tmp_path):
    """Ctrl-C on the whole group, a signal or a kill: worker processes end with the client."""
    import psutil

    source = pictures(tmp_path, 1, (400, 300))
    for i in range(1, 100):
        os.link(source / "0000.png", source / f"{i:04}.png")
    running = apply(source, "--recursive", "-o", f"{tmp_path}/out/", "--json", "--scheduler",
                    "local:1", start_new_session=True)  # fmt: skip
    after(10, running)
    children = psutil.Process(running.pid).children(recursive=True)
    assert children
    if number == signal.SIGINT:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    _, err = running.communicate(timeout=ENDING)
    assert (running.returncode, err) == (-9 if number == signal.SIGKILL else 130, "")
    assert psutil.wait_procs(children, ENDING)[1] == []
    if number != signal.SIGKILL:
        assert not list((tmp_path / "out").glob(".*"))


@needs_dask
def test_workers_without_the_program_are_refused(tmp_path):
    """In one line that says so, before the first file."""
    (tmp_path / "early.py").write_text("import sys; sys.modules.update({'imgconv': None})")
    (tmp_path / "a.png").write_bytes(saved(noise(), "PNG"))
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__PRELOAD": str(tmp_path / "early.py")}
    code, _, err = finished(apply("a.png", "--scheduler", "local:1", cwd=tmp_path, env=environment))
    assert (code, len(err)) == (2, 1)
    assert "has no imgconv; install imgconv" in err[0]
    assert not (tmp_path / "a.sharpen.png").exists()


class Workers:
    """Stands for a client: two workers in this process, of which one has something otherwise."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def run(self, what: Callable, *arguments: str, on_error: str) -> dict[str, object]:
        """Have both do something."""
        assert on_error == "return"
        here = what(*arguments)
        changed = self.name in (*arguments, what.__name__)
        return {"tcp://a": here, "tcp://b": "0.0.1" if changed else here}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("imgconv.__version__", "imgconv"),
        ("get_python_version", "python"),
        ("PIL.__version__", "pillow"),
        ("zlib.ZLIB_RUNTIME_VERSION", "zlib"),
    ],
)
def test_workers_with_another_version_are_refused(asked, told):
    """Of whatever decides the bytes, by its name and both versions."""
    scheduler.refuse_other_workers(Workers(), [])
    with pytest.raises(OptionError, match=f"tcp://b has {told} 0.0.1, and this is .*; install"):
        scheduler.refuse_other_workers(Workers(asked), [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scheduler", "here"], "'here' is neither tcp://HOST:PORT nor local:N"),
        (["--scheduler", "tcp://here"], "neither tcp://HOST:PORT nor local:N"),
        (["--scheduler", "tcp://here:70000"], "neither tcp://HOST:PORT nor local:N"),
        (["--scheduler", "local:0"], "neither tcp://HOST:PORT nor local:N"),
        (["--scheduler", "local:1", "--jobs", "2"], "--jobs is for this machine"),
        (["--scheduler", "local:1", "--preview"], "leave out --scheduler"),
        (["--scheduler", "local:1", "-o", "-"], "leave out stdin and stdout"),
        (["--scheduler", "local:1", "-o", "a.png", "-f"], "written over itself"),
    ],
)
def test_what_a_scheduler_cannot_do_is_misuse(run, tmp_path, monkeypatch, arguments, message):
    """Told in one line, before anybody is asked."""
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(saved(noise(), "PNG"))
    result = run("apply", "a.png", "-k", "blur", *arguments)
    assert (result.code, len(result.errors)) == (2, 1)
    assert message in result.err


def test_a_scheduler_that_is_none_is_told(run, tmp_path):
    """Nobody there, or somebody else."""
    path = tmp_path / "a.png"
    path.write_bytes(saved(noise(), "PNG"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        child = subprocess.Popen(
            [sys.executable, "-c", "import socket; s = socket.socket(fileno=0); c = s.accept()[0];"
             "c.send(b'SSH-2.0-OpenSSH\\r\\n'); c.recv(9)"], stdin=server.fileno(),
        )  # fmt: skip
        result = run("apply", path, "-k", "blur", "--scheduler", address)
        child.kill()
        child.wait()
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"what answers at {address} is no Dask scheduler" in result.err
    result = run("apply", path, "-k", "blur", "--scheduler", address)
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"no scheduler at {address}: Connection refused; start one" in result.err


def test_without_dask_the_extra_is_named(run, tmp_path, monkeypatch):
    """And how to install it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    path = tmp_path / "a.png"
    path.write_bytes(saved(noise(), "PNG"))
    result = run("apply", path, "-k", "blur", "--scheduler", "local:1")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "pip install 'imgconv[dask]'" in result.err


def test_a_second_attempt_accepts_what_the_first_wrote(tmp_path):
    """The same bytes are right, others are not."""
    from imgconv.errors import ImageError

    path = tmp_path / "a.png"
    path.write_bytes(b"done")
    files.write(b"done", path, force=False, again=True)
    with pytest.raises(ImageError, match="exists"):
        files.write(b"other", path, force=False, again=True)
    assert contents(tmp_path) == {"a.png": b"done"}
