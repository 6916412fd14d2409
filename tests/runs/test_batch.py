"""Batches through real processes: what is told of each input, and what an end by force leaves."""

import _thread
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.pipeline.layout import layout
from imgconv.pipeline.work import Work
from imgconv.runs import batch
from imgconv.runs.job import Job
from imgconv.runs.task import Task
from tests import ROOT, reference
from tests.images import noise, saved

IMGCONV = (sys.executable, "-m", "imgconv")
SOBEL = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a few pictures, as the current one."""
    monkeypatch.chdir(tmp_path)
    for i in range(6):
        Path(f"{i}.png").write_bytes(saved(noise(size=(20 + i, 15)), "PNG"))
    return tmp_path


def told(result) -> list[dict]:
    """Return the objects of --json."""
    return [json.loads(line) for line in result.text.splitlines()]


@pytest.mark.usefixtures("folder")
def test_json_tells_of_each_input_what_the_reference_says(run):
    """Sizes and clipped samples of the output, in the order of the inputs, on stdout alone."""
    Path("bad.png").write_text("no picture")
    Path("o").mkdir()
    Path("o/1.png").write_text("mine")
    inputs = ["0.png", "bad.png", "1.png", "missing.png"]
    args = ["-k", "sobel-left", "-o", "o/", "--json", "--stride", "2", "--skip-existing"]
    result = run("apply", *inputs, *args)
    assert result.code == 1
    good, bad, skipped, missing = told(result)
    channels = np.moveaxis(np.asarray(Image.open("0.png")).astype(object), 2, 0)
    responses = [reference.respond(c.tolist(), SOBEL, stride=2) for c in channels]
    flat = [r for channel in responses for row in channel for r in row]
    assert good.pop("seconds") > 0
    assert good == {
        "input": "0.png", "output": "o/0.png", "width": 10, "height": 8, "kernel": "sobel-left",
        "clipped_low": sum(r < 0 for r in flat), "clipped_high": sum(r > 255 for r in flat),
        "status": "ok", "error": None,
    }  # fmt: skip
    assert (bad["status"], bad["width"], "not an image" in bad["error"]) == ("failed", None, True)
    assert (skipped["status"], skipped["error"]) == ("skipped", None)
    assert Path("o/1.png").read_text() == "mine"
    assert missing["status"] == "failed"
    assert "1 written, 1 skipped, 2 failed" in result.errors[-1]


@pytest.mark.usefixtures("folder")
def test_a_dry_run_says_what_a_run_does_and_touches_nothing(run):
    """The same lines, failures and exit code, and no file."""
    Path("0.blur.png").write_text("mine")

    def seen() -> dict[Path, tuple[int, int]]:  # but for when they were read
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in Path().rglob("*")}

    before = seen()
    result = run("apply", "0.png", "1.png", "-k", "blur", "--dry-run")
    assert (result.code, result.text) == (1, "1.png -> 1.blur.png\n")
    assert "0.blur.png exists" in result.err
    skipping = run("apply", "0.png", "1.png", "-k", "blur", "-n", "--skip-existing")
    assert (skipping.code, skipping.text) == (
        0, "0.png -> 0.blur.png (exists, skipped)\n1.png -> 1.blur.png\n",
    )  # fmt: skip
    assert seen() == before


@pytest.mark.usefixtures("folder")
def test_much_clipping_is_a_hint_with_its_remedy(run):
    """A gradient cut at 0 says so, with the option that keeps it; quiet and harmless ones don't."""
    line = run("apply", "0.png", "-k", "sobel-left").err
    assert "% of the samples were clipped at 0; --levels abs or offset keeps them" in line
    share = int(line.split("note: ")[1].split(" %")[0])
    responses = [
        r
        for c in np.moveaxis(np.asarray(Image.open("0.png")).astype(object), 2, 0)
        for row in reference.respond(c.tolist(), SOBEL)
        for r in row
    ]
    assert share == round(100 * sum(r < 0 for r in responses) / len(responses))
    assert run("apply", "0.png", "-k", "sobel-left", "-fq").err == ""
    assert run("apply", "0.png", "-k", "sobel-left", "-f", "--levels", "stretch").err == ""
    assert run("apply", "0.png", "-k", "blur").err == ""
    assert "--levels stretch" in run("apply", "0.png", "-k", "1", "--scale", "4", "-f").err


@pytest.mark.usefixtures("folder")
def test_jobs_change_no_byte(run):
    """One at a time or several: the same files and the same order of outcomes."""
    for jobs in (1, 2, 5):
        result = run("apply", *sorted(map(str, Path().glob("?.png"))), "-k", "emboss", "--json",
                     "-o", f"j{jobs}/", "--jobs", jobs)  # fmt: skip
        assert [outcome["input"] for outcome in told(result)] == [f"{i}.png" for i in range(6)]
    for i in range(6):
        one, *others = (Path(f"j{jobs}/{i}.png").read_bytes() for jobs in (1, 2, 5))
        assert all(other == one for other in others)


def test_the_limit_of_pixels_can_be_moved(run, tmp_path):
    """--max-pixels refuses before decoding, and counts the frames of an animation."""
    path = tmp_path / "a.gif"
    frames = [noise(size=(20, 10)) for _ in range(3)]
    frames[1].putpixel((0, 0), (0, 0, 0))
    frames[2].putpixel((5, 5), (255, 255, 255))
    path.write_bytes(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    out = ["-k", "blur", "-o", tmp_path / "b.gif", "-f"]
    assert "599" not in run("apply", path, *out, "--max-pixels", 600).err
    result = run("apply", path, *out, "--max-pixels", 599)
    assert (result.code, "--max-pixels" in result.err) == (1, True)
    assert run("apply", path, *out, "--max-pixels", 200, "--frame", 1).code == 0


def test_a_stream_without_end_is_refused(monkeypatch):
    """Stdin is read up to a limit, and no further; nor what is no picture beyond its beginning."""
    from imgconv.errors import ImageError
    from imgconv.pictures import files

    with open("/dev/zero", "rb") as endless:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": endless}))
        with pytest.raises(ImageError, match="3 MB"):
            files.read("-", limit=3 << 20, picture=False)
    with pytest.raises(ImageError, match="3 MB"):
        files.read("/dev/zero", limit=3 << 20, picture=False)
    for name in ("/dev/zero", "/dev/urandom"):
        with pytest.raises(ImageError, match="not an image"):
            files.read(name)


def test_a_named_pipe_is_an_input(run, tmp_path):
    """As a shell's <(...) makes one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(saved(noise(), "PNG"),))
    writer.start()
    assert run("apply", pipe, "-k", "1", "-o", tmp_path / "out.png").code == 0
    writer.join()


@pytest.mark.usefixtures("folder")
def test_a_dry_run_looks_for_its_inputs(run):
    """What is not there would not be written."""
    result = run("apply", "gone.png", "-k", "blur", "-n")
    assert (result.code, result.out) == (1, b"")


@pytest.mark.usefixtures("folder")
def test_a_pipe_as_output_stays_a_pipe(run):
    """With --force too: what is no file is written to, not replaced."""
    os.mkfifo("pipe.png")
    seen = []
    reader = threading.Thread(target=lambda: seen.append(Path("pipe.png").read_bytes()))
    reader.start()
    assert run("apply", "0.png", "-k", "1", "-o", "pipe.png", "--force").code == 0
    reader.join()
    assert Path("pipe.png").is_fifo()
    assert seen[0].startswith(b"\x89PNG")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_a_closed_stderr_stops_nothing(closed):
    """All inputs are done, and no message ends up among the results."""
    command = f"{' '.join(IMGCONV)} apply gone.png 0.png 1.png -k 1 -f -o out/ --json {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode == 1
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == [
        "failed", "ok", "ok",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_a_closed_stdout_is_told():
    """Where results should go there is nobody."""
    command = f"{' '.join(IMGCONV)} apply 0.png -k 1 -f -o out/ --json >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.returncode, b"stdout is closed" in done.stderr) == (2, True)


def heeds(pid, number):
    """Whether a process has come so far that it handles a signal by itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


def test_a_signal_that_a_callback_drops_is_not_lost():
    """Python can't raise out of a weak reference's callback; the program ends all the same."""
    program = (
        "import os, signal, sys, time, weakref\n"
        "import imgconv.__main__ as program\n"
        "import imgconv.cli.main\n"
        "class Thing: pass\n"
        "def main():\n"
        "    thing = Thing()\n"
        "    kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))\n"
        "    del thing\n"
        "    time.sleep(20)\n"
        "    return 0\n"
        "imgconv.cli.main.main = main\n"
        "program.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
def test_an_end_by_force_leaves_every_file_whole(name, tmp_path, run):
    """Old or new, never half; after a signal that can be heeded no temporary file either."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    noise(size=(100, 100)).save(source / "0.png")
    assert run("apply", source / "0.png", "-k", "sharpen", "-o", f"{out}/").code == 0
    new, old = (out / "0.png").read_bytes(), b"old" * 1000
    for i in range(1, 40):
        os.link(source / "0.png", source / f"{i}.png")
    command = [*IMGCONV, "apply", source, "--recursive", "-k", "sharpen", "-o", f"{out}/", "-f"]
    chance = random.Random(name)
    for _ in range(3):
        for path in source.iterdir():
            (out / path.name).write_bytes(old)
        running = subprocess.Popen(command, stderr=subprocess.PIPE)
        while not heeds(running.pid, signal.SIGTERM) and running.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.2))  # which is about how long it takes
        running.send_signal(signal.Signals[name])
        _, err = running.communicate()
        assert b"Traceback" not in err
        assert running.returncode in (0, 130, -signal.Signals[name])
        left = {path.name: path.read_bytes() for path in out.iterdir()}
        whole = {f"{i}.png" for i in range(40)}
        assert whole <= set(left)
        if name != "SIGKILL":
            assert set(left) == whole
        assert all(left[each] in (old, new) for each in whole)
    subprocess.run(command, check=True, capture_output=True)
    assert {path.name for path in out.iterdir()} == whole


def test_an_interrupt_waits_for_what_is_being_written_and_for_nothing_else(monkeypatch):
    """What still reads is left, and writes nothing any more."""
    writing, ended, over, done = (
        threading.Event(), threading.Event(), threading.Semaphore(0), list[str](),
    )  # fmt: skip

    def attempt(job, task):
        if job.source == "slow":  # as a read that never comes
            ended.wait(20)
        try:
            with task.gate.passed():
                writing.set()
                time.sleep(0.2)
                done.append(job.source)
        finally:
            over.release()

    def interrupt():
        assert writing.wait(20)
        _thread.interrupt_main()

    monkeypatch.setattr(batch, "attempt", attempt)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        list(batch.run([Job("slow", "b"), Job("a", "d")], Task(Work((), layout())), 2))
    assert done == ["a"]
    ended.set()
    for _ in range(2):
        assert over.acquire(timeout=20)
    assert done == ["a"]


def test_what_libraries_print_does_not_spill(tmp_path):
    """Libtiff speaks of damage on a stream of its own; the user sees our one line."""
    data = bytearray(saved(noise(size=(64, 48)), "TIFF", compression="tiff_lzw"))
    data[200:2000] = b"\xff" * 1800
    (tmp_path / "a.tif").write_bytes(data)
    done = subprocess.run(
        [*IMGCONV, "apply", "a.tif", "-k", "1"], cwd=tmp_path, capture_output=True, check=False
    )
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, line.startswith("imgconv: a.tif: broken image")) == (1, True)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("imgconv apply a.png --kernel sobel-l", {"sobel-left"}),
        ("imgconv apply a.png -k kirsch-n", {"kirsch-n", "kirsch-ne", "kirsch-nw"}),
        ("imgconv show outl", {"outline", "outline-rgb"}),
        ("imgconv apply a.png --border sym", {"symmetric", "symm"}),
        ("imgconv apply a.png --skip", {"--skip-existing"}),
        ("imgconv li", {"list"}),
    ],
)
def test_the_shell_completes(words, wanted):
    """What bash asks for at a tab is answered: kernels, borders, options, commands."""
    environment = {
        **os.environ, "_IMGCONV_COMPLETE": "complete_bash", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    done = subprocess.run(IMGCONV, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, set(done.stdout.split())) == (0, "", wanted)


def test_bash_completes_once_it_is_installed(tmp_path):
    """--install-completion writes what bash sources, and bash then offers the kernels."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "imgconv"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m imgconv "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
    }
    environment["PYTHONPATH"] = str(ROOT)
    subprocess.run(
        ["imgconv", "--install-completion", "bash"],
        env=environment,
        check=True,
        capture_output=True,
    )
    script = """
    . ~/.bashrc
    COMP_WORDS=(imgconv apply a.png --kernel sobel-le) COMP_CWORD=4
    _imgconv_completion imgconv
    echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["sobel-left"], done.stderr


def test_a_terminal_sees_progress_and_a_pipe_does_not(tmp_path):
    """On a terminal a bar counts to the end and goes; nothing of it reaches a file.

    Nor does the bar draw to the terminal what is printed to a file meanwhile.
    """
    import pty

    (tmp_path / "in").mkdir()
    for i in range(4):
        (tmp_path / "in" / f"{i}.png").write_bytes(saved(noise(size=(9, 9)), "PNG"))
    code = (
        "import sys, time; from imgconv.runs import batch, report\n"
        "from imgconv.cli.main import main\n"
        "report.PATIENCE = 0; do = batch._do\n"
        "batch._do = lambda *a: (time.sleep(0.3), do(*a))[1]\n"
        "sys.exit(main('apply in --recursive -k 1 -o out/ -f --jobs 1 --json'.split()))"
    )
    command = [sys.executable, "-c", code]
    ours, theirs = pty.openpty()
    with open(tmp_path / "told", "wb") as told:
        running = subprocess.Popen(command, cwd=tmp_path, stdout=told, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux ends a terminal
            break
        if not part:
            break
        seen += part
    assert running.wait() == 0
    assert b"4/4" in seen
    assert b"/s" in seen
    assert b"4 inputs: 4 written" in seen
    lines = (tmp_path / "told").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["ok"] * 4
    piped = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    assert piped.stderr.startswith(b"imgconv: 4 inputs: 4 written")
    assert piped.stderr.count(b"\n") == 1
