"""Runs that go on where one stopped: what is done again, what is not, and whose an output is."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgconv.runs import journal
from imgconv.runs.job import Job
from imgconv.runs.report import Outcome
from tests.images import noise, saved

IMGCONV = (sys.executable, "-m", "imgconv")
APPLY = ["-k", "sobel-left", "-o", "out/", "--json"]
COUNT = 5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with pictures, as the current one."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for i in range(COUNT):
        Path(f"in/{i}.png").write_bytes(saved(noise(size=(20 + i, 15)), "PNG"))
    return tmp_path


def many() -> None:
    """Have sixty inputs, which take a while."""
    data = saved(noise(size=(300, 200)), "PNG")
    for i in range(60):
        Path(f"in/{i}.png").write_bytes(data)


def names() -> list[str]:
    """Return the inputs."""
    return sorted(map(str, Path("in").iterdir()))


def statuses(result) -> str:
    """Return a letter for each input: ok, skipped or failed."""
    text = result.text if hasattr(result, "text") else result.stdout
    return "".join(json.loads(line)["status"][0] for line in text.splitlines())


def outputs() -> dict[str, tuple[bytes, int]]:
    """Return the bytes and times of what was written."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path("out").iterdir()}


def journals(state: Path) -> list[Path]:
    """Return the files of journals."""
    return sorted(state.rglob("*.journal"))


@pytest.fixture
def done(run, folder):
    """A run that resumes nothing and does all."""
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "o" * COUNT
    return folder


def test_a_killed_run_goes_on(folder, state_home, run):
    """After kill -9 only the rest is done, without --force, and the result is that of one run."""
    many()
    args = [*IMGCONV, "apply", *names(), *APPLY, "--jobs", "2"]
    with subprocess.Popen(
        args, stdout=subprocess.DEVNULL, cwd=folder, start_new_session=True
    ) as process:
        # Sorted by name, about the middle; who notes it may be slow.
        while not Path("out/2.png").exists() or not any(map(os.path.getsize, journals(state_home))):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    before = outputs()
    noted = journals(state_home)[0].stat().st_size // journal.LINE
    assert 0 < noted <= len(before) < 60
    result = subprocess.run([*args, "--resume"], capture_output=True, text=True, check=True)
    assert statuses(result).count("s") == noted
    after = outputs()
    assert {name: after[name] for name in before if name.endswith(".png")} == {
        name: kept for name, kept in before.items() if name.endswith(".png")
    }
    assert run("apply", "in/0.png", *APPLY[:-2], "fresh.png").code == 0
    found = {name: data for name, (data, _) in after.items() if name.endswith(".png")}
    assert found == dict.fromkeys(map(os.path.basename, names()), Path("fresh.png").read_bytes())


@pytest.mark.usefixtures("folder")
def test_a_journal_goes_when_all_is_done(run, state_home):
    """It stays after a failure and with --resume; a single picture has none."""
    run("apply", "in/0.png", *APPLY)
    run("apply", *names(), *APPLY, "-f")
    run("apply", *names(), *APPLY, "-n")
    assert journals(state_home) == []
    Path("in/bad.png").write_text("no picture")
    assert statuses(run("apply", *names(), *APPLY, "-f")) == "ooooof"
    assert [path.stat().st_size for path in journals(state_home)] == [5 * journal.LINE]
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "sssssf"
    Path("in/bad.png").write_bytes(Path("in/0.png").read_bytes())
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "ssssso"
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "ssssss"
    assert oct(state_home.joinpath("imgconv").stat().st_mode & 0o777) == "0o700"


@pytest.mark.usefixtures("done")
def test_nothing_is_done_twice(run):
    """Also with other numbers of threads, under other words for the same, and from elsewhere."""
    before = outputs()
    for more in ([], ["--jobs", "1"], ["--threads", "2"], ["-f"]):
        assert statuses(run("apply", *names(), *APPLY, "--resume", *more)) == "s" * COUNT
    absolute = [os.path.abspath(name) for name in names()]
    args = ["-o", os.path.abspath("out"), "--json", "--resume"]
    assert statuses(run("apply", *absolute, "-k", "sobel-left", *args)) == "s" * COUNT
    numbers = json.loads(run("show", "sobel-left", "--as", "json").text)
    weights = ";".join(",".join(map(str, row)) for row in numbers["weights"])
    assert statuses(run("apply", *names(), "-k", weights, *args)) == "s" * COUNT
    assert outputs() == before


@pytest.mark.usefixtures("done")
def test_a_changed_input_is_done_again(run):
    """Its output is our own, and needs no --force; the others are left alone."""
    before = outputs()
    Path("in/2.png").write_bytes(saved(noise(size=(9, 9)), "PNG"))
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "ssoss"
    after = outputs()
    assert [name for name in before if before[name] != after[name]] == ["2.png"]
    assert run("apply", "in/2.png", "-k", "sobel-left", "-o", "fresh.png").code == 0
    assert Path("fresh.png").read_bytes() == after["2.png"][0]


@pytest.mark.parametrize(
    "changed",
    [
        ["-k", "sobel-right"], ["--levels", "abs"], ["--border", "wrap"], ["--stride", "2"],
        ["--channels", "r,g"], ["--alpha", "weighted"], ["--background", "red"], ["--frame", "0"],
        ["--compress", "small"], ["--strip"], ["--depth", "8"], ["--format", "png"], ["--flip"],
        ["--scale", "2"], ["--quality", "3"],
    ],
)  # fmt: skip
@pytest.mark.usefixtures("done")
def test_with_changed_options_all_is_done_again(run, changed):
    """What decides the bytes decides what is right; what is our own needs no --force."""
    args = [arg for arg in APPLY if "-k" not in changed or arg not in ("-k", "sobel-left")]
    assert statuses(run("apply", *names(), *args, *changed, "--resume")) == "o" * COUNT
    assert statuses(run("apply", *names(), *args, *changed, "--resume")) == "s" * COUNT
    run("apply", *names(), *args[:-3], "-o", "fresh/", *changed)
    if "-k" not in changed:
        fresh = {path.name: path.read_bytes() for path in Path("fresh").iterdir()}
        assert fresh == {name: data for name, (data, _) in outputs().items()}


@pytest.mark.usefixtures("done")
def test_a_lost_output_is_made_again(run):
    """One that was deleted is written, the others stay."""
    Path("out/3.png").unlink()
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "sssos"


@pytest.mark.usefixtures("done")
def test_what_somebody_else_wrote_is_not_touched(run):
    """It fails as any output that exists, whatever else has changed, until --force is given."""
    Path("out/1.png").write_text("mine")
    result = run("apply", *names(), *APPLY, "--resume")
    assert (result.code, statuses(result)) == (1, "sfsss")
    assert "out/1.png exists; --force overwrites it" in result.err
    assert statuses(run("apply", *names(), *APPLY, "--resume", "--levels", "abs")) == "ofooo"
    assert Path("out/1.png").read_text() == "mine"
    both = run("apply", *names(), *APPLY, "--resume", "--skip-existing", "--strip")
    assert statuses(both) == "osooo"
    assert Path("out/1.png").read_text() == "mine"
    assert statuses(run("apply", *names(), *APPLY, "--resume", "--force")) == "ooooo"
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "sssss"


@pytest.mark.usefixtures("folder")
def test_outputs_that_nobody_noted_are_right_if_they_hold_the_bytes(run):
    """As a killed run leaves them; others are somebody else's."""
    run("apply", *names(), *APPLY)
    Path("out/4.png").write_text("mine")
    before = outputs()
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "oooof"
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "ssssf"
    assert outputs() == before


@pytest.mark.usefixtures("done")
def test_a_torn_line_is_no_line(run, state_home):
    """What a full disk or a dead machine leaves of the last one costs that picture's work."""
    (path,) = journals(state_home)
    path.write_bytes(path.read_bytes()[:-7])
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "sssso"
    assert statuses(run("apply", *names(), *APPLY, "--resume")) == "sssss"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_no_damage_to_a_journal_makes_it_lie(state_home, data):
    """Cut and spoilt anywhere, with more appended: marks are those that were noted, or none."""
    jobs = [Job(f"{i}.png", f"o{i}.png") for i in range(6)]
    noted = [
        Outcome(job.name, job.target, marks=journal.marks("m", f"{i}", f"{i}"))
        for i, job in enumerate(jobs)
    ]
    for path in journals(state_home):
        path.unlink()
    list(journal.Journal("w", print, resume=True).keep(noted[:4]))
    (path,) = journals(state_home)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=40)))
    list(journal.Journal("w", print, resume=True).keep(noted[4:]))
    found = [job.marks for job in journal.Journal("w", print, resume=True).recall(jobs)]
    assert found[4:] == [outcome.marks for outcome in noted[4:]]
    lines = cut // journal.LINE
    assert found[:lines] == [outcome.marks for outcome in noted[:lines]]
    assert not any(found[lines + 1 : 4])


@pytest.mark.usefixtures("folder")
def test_without_a_place_for_journals_the_work_is_done(run, monkeypatch, tmp_path):
    """One note tells, and nothing fails."""
    Path(tmp_path, "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    for more in ([], ["--resume"]):
        result = run("apply", *names(), *APPLY, *more, "-o", f"out{len(more)}/")
        assert (result.code, statuses(result)) == (0, "o" * COUNT)
        assert result.err.count("no journal is kept") == 1


def test_shards_at_once_share_a_journal(folder, state_home):
    """Each notes its own; a run over all then finds nothing to do."""
    args = [*IMGCONV, "apply", *names(), *APPLY, "--resume"]
    both = [
        subprocess.Popen([*args, "--shard", f"{i}/2"], stdout=subprocess.DEVNULL) for i in (1, 2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert [path.stat().st_size for path in journals(state_home)] == [COUNT * journal.LINE]
    result = subprocess.run(args, capture_output=True, text=True, cwd=folder, check=True)
    assert statuses(result) == "s" * COUNT


@pytest.mark.usefixtures("done")
def test_a_dry_run_tells_what_would_be_done(run, state_home):
    """What is skipped and what is not; neither outputs nor journals change."""
    Path("out/0.png").unlink()
    Path("in/1.png").write_bytes(Path("in/2.png").read_bytes())
    before = outputs(), [path.read_bytes() for path in journals(state_home)]
    result = run("apply", *names(), *APPLY[:-1], "--resume", "-n")
    marked = ["skipped" in line for line in result.text.splitlines()]
    assert marked == [False, False, True, True, True]
    assert (outputs(), [path.read_bytes() for path in journals(state_home)]) == before


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_resumed_is_misuse(run):
    """Pipes, which keep nothing, and pictures written over themselves, which would be twice."""
    args = ["-k", "blur", "--resume"]
    same = ["in/0.png", "-o", "in/"]
    for wrong in (["-", "-o", "a.png"], ["in/0.png", "-o", "-"], same, [*same, "-f"]):
        result = run("apply", *wrong, *args)
        assert (result.code, len(result.errors)) == (2, 1)


def broken() -> None:
    """Have one input that cannot be read."""
    Path("in/bad.png").write_text("no picture")


@pytest.mark.usefixtures("folder")
def test_runs_that_fail_leave_one_journal_and_a_clean_one_none(run, state_home):
    """A run that did more takes over what earlier ones have noted; one that did all ends them."""
    run("apply", *names(), "-k", "blur", "-o", "other/", "in/gone.png")  # of other outputs
    (other,) = journals(state_home)
    broken()
    for _ in range(3):
        assert run("apply", *names(), *APPLY, "-f").code == 1
        assert len(journals(state_home)) == 2
    Path("in/0.png").rename("0.png")
    assert run("apply", *names(), *APPLY, "-f").code == 1  # which has done less
    assert len(journals(state_home)) == 3
    Path("0.png").rename("in/0.png")
    Path("in/bad.png").unlink()
    assert statuses(run("apply", *names(), *APPLY, "--skip-existing")) == "s" * COUNT
    assert journals(state_home) == [other]


@pytest.mark.usefixtures("done")
def test_a_resuming_run_takes_over_what_others_have_noted(run, state_home):
    """Its journal tells then what theirs did, which go."""
    run("apply", *names(), *APPLY, "-f", "in/gone.png")
    assert [len(path.stem[16:]) for path in journals(state_home)] == [13]
    before = outputs()
    for _ in range(2):
        assert statuses(run("apply", *names(), *APPLY, "--resume")) == "s" * COUNT
        assert [path.stem[16:] for path in journals(state_home)] == [""]
    assert outputs() == before
    assert (
        run("apply", *names(), *APPLY, "-f").code == 0
    )  # all is done anew, and nothing to be kept
    assert journals(state_home) == []


@pytest.mark.usefixtures("folder")
def test_journals_of_living_runs_stay(run, state_home, tmp_path, monkeypatch):
    """Whatever else is done, also by `cache clear`, which removes those of runs that have ended."""
    broken()
    run("apply", *names(), *APPLY)
    (path,) = journals(state_home)
    Path("in/bad.png").unlink()

    monkeypatch.setenv("IMGCONV_CACHE_DIR", str(tmp_path / "code"))

    def cache(word: str) -> str:
        result = run("cache", word)
        assert result.code == 0
        return result.text

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert run("apply", *names(), *APPLY, "-f").code == 0
        assert cache("clear") == ""
        assert journals(state_home) == [path]
        assert f"{path.parent}: 1 journals for --resume" in cache("info")
    assert cache("clear") == ""
    assert journals(state_home) == []
    assert "--resume" not in cache("info")


def test_a_run_holds_its_journal(folder, state_home):
    """Another process cannot remove it while pictures are still to come."""
    many()
    command = [*IMGCONV, "apply", *names(), *APPLY, "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder) as running:
        try:
            while not any(path.stat().st_size for path in journals(state_home)):  # and is held
                time.sleep(0.002)
            running.send_signal(signal.SIGSTOP)
            (path,) = journals(state_home)
            journal.clear()
            assert journals(state_home) == [path]
        finally:
            running.kill()
    journal.clear()
    assert journals(state_home) == []
