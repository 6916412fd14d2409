"""Batches in forked processes: the same as in one, whoever of them dies and whenever."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imgconv.errors import ImageError
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work
from imgconv.runs import batch, processes
from imgconv.runs.job import FAILED, Job, Outcome
from imgconv.runs.task import Left, Task
from tests.images import noise, saved

IMGCONV = (sys.executable, "-m", "imgconv")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")

# Runs a batch in which the third of twelve jobs kills its worker: the first time, or each time.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from imgconv.pictures import files
from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work
from imgconv.runs import batch, delivery, processes
from imgconv.runs.job import Job, Outcome
from imgconv.runs.task import Task

deadly, always, parent = sys.argv[1], sys.argv[2] == "always", os.getpid()

def die(job, stage):
    assert os.getpid() != parent
    if job.source == "3" and stage == deadly and (always or not Path("died").exists()):
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)

def attempt(job, task):
    die(job, "doing")
    task.gate.near()
    with delivery.passed(task) as later:
        die(job, "writing")
        data = job.source.encode()
        files.write(data, Path(job.target), force=False, again=task.again, later=later)
    return Outcome(job.name, job.target)

def finish(job, task, outcome):
    die(job, "settling")
    outcome = batch.finish(job, task, outcome)
    die(job, "written")
    return outcome

assert processes.can_fork()
todo = [Job(str(i), f"out/{i}") for i in range(12)]
for outcome in processes.run(attempt, finish, todo, Task(Work((), layout())), 2):
    print(outcome.name, outcome.status, outcome.error, sep=":")
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no child")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deadly_batch(stage: str, often: str) -> tuple[dict[str, str], str]:
    """Run PROGRAM; return what is told of each job, and the files that are there."""
    command = [sys.executable, "-c", PROGRAM, stage, often]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert Path("died").exists()
    *told, last = done.stdout.splitlines()
    assert last == "no child"
    outcomes = dict(line.split(":", 1) for line in told)
    assert list(outcomes) == [f"{i}" for i in range(12)]
    return outcomes, {path.name: path.read_text() for path in Path("out").iterdir()}


KILLED = "failed:is not done: its process was ended by SIGKILL; if memory is short, try --jobs 1"


@pytest.mark.parametrize("often", ["once", "always"])
@pytest.mark.parametrize("stage", ["doing", "writing"])
def test_a_worker_that_dies_costs_its_file_one_line(stage, often):
    """And the rest is done, what it was asked for besides as well."""
    outcomes, files = deadly_batch(stage, often)
    assert outcomes == {name: KILLED if name == "3" else "ok:" for name in outcomes}
    assert files == {name: name for name in outcomes if name != "3"}


@pytest.mark.parametrize("often", ["once", "always"])
@pytest.mark.parametrize("stage", ["settling", "written"])
def test_a_file_that_was_written_is_seen_to_again(stage, often):
    """It costs a line if that ends a worker once more; what was begun besides may cost one too.

    What has its name already is right.
    """
    outcomes, files = deadly_batch(stage, often)
    failed = [name for name, told in outcomes.items() if told == KILLED]
    assert all(told == "ok:" for name, told in outcomes.items() if name not in failed)
    assert ("3" in failed) == (often == "always" and stage == "settling")
    assert len(failed) <= (1 if often == "once" else 3)
    assert files == {name: name for name in outcomes if name not in failed}


def children(pid: int) -> list[int]:
    """The processes that a process has forked and not waited for."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_over(group: int) -> bool:
    """Whether a group of processes ends within a while."""
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def pictures(count: int) -> list[str]:
    """Make a folder of pictures, and return their names."""
    Path("in").mkdir()
    for i in range(count):
        noise(size=(100 + i, 100)).save(f"in/{i:02}.png")
    return [f"{i:02}.png" for i in range(count)]


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="no /proc")
def test_workers_that_are_killed_leave_nothing_behind():
    """Of a real run, at any moment: the rest is done, and no part, no child is left."""
    names = pictures(30)
    command = [*IMGCONV, "apply", "in", "-k", "sharpen", "-f", "-o"]
    subprocess.run([*command, "new/"], check=True, capture_output=True)
    new = {name: Path("new", name).read_bytes() for name in names}
    chance = random.Random(1)
    for _ in range(4):
        running = subprocess.Popen(
            [*command, "out/"], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        while not children(running.pid) and running.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.12))  # which is about how long it takes
        if workers := children(running.pid):
            with contextlib.suppress(ProcessLookupError):  # it ends by itself meanwhile
                os.kill(chance.choice(workers), signal.SIGKILL)
        _, said = running.communicate()
        lost = [line for line in said.splitlines() if "SIGKILL" in line]
        assert (running.returncode, len(lost)) in ((0, 0), (1, 1))
        assert is_over(running.pid)
        failed = {name for name in names if any(f"in/{name}: " in line for line in lost)}
        left = {path.name: path.read_bytes() for path in Path("out").iterdir()}
        assert set(names) - failed <= set(left) <= set(names)
        assert all(left[name] == new[name] for name in left)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("whole_group", [False, True])
def test_no_worker_survives_the_run(name, whole_group):
    """Whether the parent gets a signal, or, as from a terminal, all do."""
    Path("in").mkdir()
    noise(size=(300, 200)).save("in/0.png")
    for i in range(1, 300):  # so many that it is not over before
        os.link("in/0.png", f"in/{i}.png")
    command = [*IMGCONV, "apply", "in", "-k", "sharpen", "-o", "out/", "-f"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while not children(running.pid) and running.poll() is None:
        time.sleep(0.001)
    time.sleep(random.Random(name).uniform(0.02, 0.2))
    (os.killpg if whole_group else os.kill)(running.pid, signal.Signals[name])
    _, said = running.communicate()
    assert (running.returncode, said) == (-9 if name == "SIGKILL" else 130, b"")
    assert is_over(running.pid)
    if name != "SIGKILL" or not whole_group:  # workers end what they have begun
        assert not list(Path("out").glob(".*"))


def test_of_what_fails_in_the_end_nothing_else_is_told():
    """As where the end is not left for later: neither a size, nor notes, nor a preview."""

    class Full:
        def end(self):
            raise ImageError("no room")

    left = Left()
    left.ending = Full()
    task = Task(Work((), layout()), left=left)
    made = Outcome("a", "b", width=3, clipped=(5, 6), notes=("note",), preview="P")
    failed = batch.finish(Job("a", "b"), task, made)
    assert failed._replace(seconds=0) == Outcome("a", "b", FAILED, "no room")


def test_outputs_and_messages_do_not_depend_on_jobs():
    """Nor the exit code, and objects come in the order of the inputs."""
    names = [f"in/{name}" for name in pictures(9)]
    Path(names[3]).write_bytes(saved(noise(size=(50, 40)), "PNG")[:700])
    Path(names[5]).unlink()
    Path("in/text.png").write_text("no picture")
    found = []
    for jobs in ("1", "2", "3"):
        place = Path(jobs)
        place.mkdir()
        (place / "07.png").write_text("taken")
        command = [*IMGCONV, "apply", *names, "in/text.png", "-k", "emboss", "--json"]
        done = subprocess.run(
            [*command, "-o", f"{place}/", "--jobs", jobs],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        assert [o["input"] for o in objects] == [*names, "in/text.png"]
        for each in objects:
            each.update(seconds=0, output=each["output"].removeprefix(jobs))
        said = done.stderr.replace(f"{jobs}/", "")
        lines = [line.partition(" failed, ")[0] for line in said.splitlines()]
        files = {path.name: path.read_bytes() for path in place.iterdir()}
        found.append((done.returncode, str(objects).replace(f"{jobs}/07", "07"), lines, files))
    assert found[0] == found[1] == found[2]
    assert found[0][0] == 1
    assert len(found[0][3]) == 7


def tasks(count: int) -> tuple[list[Job], Task]:
    """Return jobs, and what is done to them."""
    return [Job(str(i), str(i)) for i in range(count)], Task(Work((), layout()))


def test_a_process_with_threads_is_not_forked():
    """Who holds a lock there would never let go of it in the child."""
    program = (
        "import threading\n"
        "from imgconv.runs.processes import can_fork\n"
        "assert can_fork()\n"
        "go = threading.Event()\n"
        "threading.Thread(target=go.wait).start()\n"
        "assert not can_fork()\n"
        "go.set()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_where_no_process_is_to_be_had_the_work_is_done_here(monkeypatch):
    """As under a limit on processes."""

    def refuse():
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    monkeypatch.setattr(processes, "can_fork", lambda: True)
    todo, task = tasks(5)
    attempt = lambda job, _: Outcome(job.name, str(os.getpid()))  # noqa: E731
    here = processes.run(attempt, batch.finish, todo, task, 2)
    assert [(o.name, o.output) for o in here] == [(str(i), str(os.getpid())) for i in range(5)]


def in_a_process(program: str) -> list[str]:
    """Run a program after what most of them need, and return its lines."""
    begin = (
        "from imgconv.compiled import cache\n"
        "from imgconv.pipeline.layout import layout\n"
        "from imgconv.pipeline.work import Work\n"
        "from imgconv.runs import processes\n"
        "from imgconv.runs.batch import finish\n"
        "from imgconv.runs.job import Job, Outcome\n"
        "from imgconv.runs.task import Task\n"
        "todo, task = [Job(str(i), str(i)) for i in range(9)], Task(Work((), layout()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + program], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_what_all_workers_note_is_told_once():
    """Whatever one process would say once."""
    program = (
        "cache.warn = print\n"
        "def attempt(job, task):\n"
        "    cache.warn('not kept')\n"
        "    return Outcome(job.name)\n"
        "for outcome in processes.run(attempt, finish, todo, task, 3): pass\n"
    )
    assert in_a_process(program) == ["not kept"]


def test_a_reader_that_has_gone_ends_the_run():
    """As it does where the parent writes."""
    program = (
        "def attempt(job, task):\n"
        "    if job.source == '4': raise BrokenPipeError\n"
        "    return Outcome(job.name)\n"
        "try:\n"
        "    for outcome in processes.run(attempt, finish, todo, task, 2): print(outcome.name)\n"
        "except BrokenPipeError:\n"
        "    print('gone')\n"
    )
    told = in_a_process(program)
    assert told == [*(str(i) for i in range(len(told) - 1)), "gone"]
    assert len(told) <= 5


def test_who_waits_for_a_slow_picture_has_the_others_done():
    """A worker that is slow is asked for nothing else meanwhile."""
    program = (
        "import os, time\n"
        "def attempt(job, task):\n"
        "    if job.source == '0':\n"
        "        while len(os.listdir('.')) < 7: time.sleep(0.01)\n"
        "    else: open(job.target, 'w').close()\n"
        "    return Outcome(job.name)\n"
        "for outcome in processes.run(attempt, finish, todo[:8], task, 2): print(outcome.name)\n"
    )
    assert in_a_process(program) == [str(i) for i in range(8)]


def test_workers_that_end_by_themselves_are_not_replaced_for_ever():
    """As where what they load cannot be had: what there is to do is done here."""
    program = (
        "processes.Service.serve = lambda self: None\n"
        "attempt = lambda job, _: Outcome(job.name)\n"
        "for outcome in processes.run(attempt, finish, todo, task, 2):\n"
        "    print(outcome.name, outcome.status)\n"
    )
    lines = in_a_process(program)
    assert [line.split()[0] for line in lines] == [str(i) for i in range(9)]
