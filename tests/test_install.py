"""The package as users get it: built and installed in a new environment, or checked out."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import ROOT

SHIPPED = sorted(path.name for path in (ROOT / "kernels").glob("*.toml"))
GENERATED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "venv")


def call(*command: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without what this process knows of Python's paths."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=env | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """Return a copy of the checkout, without anything generated."""
    folder = tmp_path_factory.mktemp("checkout") / "imgconv"
    shutil.copytree(ROOT, folder, ignore=GENERATED)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout, once) -> Path:
    """Return the wheel that is built of the checkout."""

    def build(folder: Path) -> None:
        done = call(
            sys.executable, "-m", "build", "--wheel", "--outdir", folder, checkout, folder=folder
        )
        assert done.returncode == 0, done.stdout + done.stderr

    [file] = once("dist", build).glob("*.whl")
    return file


@pytest.fixture(scope="module")
def scripts(wheel, once) -> Path:
    """Return the folder of the programs of a new environment: the wheel and what it asks for.

    The latter is borrowed from this environment, since 300 MB take long to unpack; `pip check` sees
    to the versions, and .ci/run has pip bring them.
    """
    within = "Scripts" if os.name == "nt" else "bin"

    def install(folder: Path) -> None:
        venv.create(folder)
        pip = (sys.executable, "-m", "pip", "--python", folder / within / "python")
        done = call(*pip, "install", "--quiet", "--no-compile", "--no-deps", wheel, folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        [installed] = folder.rglob("imgconv-*.dist-info")
        borrow(installed.parent)
        done = call(*pip, "check", folder=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    return once("fresh", install) / within


def is_extra(wanted: Requirement) -> bool:
    """Whether something is asked for elsewhere, or by an extra alone."""
    return bool(wanted.marker) and not wanted.marker.evaluate({"extra": ""})


def borrow(site: Path) -> None:
    """Link what the packages of an environment ask for, and what that asks for in turn."""
    asking = list(metadata.distributions(path=[str(site)]))
    borrowed = set()
    for package in asking:
        for text in package.requires or []:
            wanted = Requirement(text)
            if wanted.name in borrowed or is_extra(wanted):
                continue
            borrowed.add(wanted.name)
            found = metadata.distribution(wanted.name)
            for name in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
                (site / name).symlink_to(found.locate_file(name))
            asking.append(found)


def test_the_wheel_holds_the_package_and_the_catalogue_and_no_more(wheel):
    """Kernels travel inside the package; tests, samples and benchmarks stay behind."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    kernels = [name for name in names if name.endswith(".toml")]
    assert sorted(kernels) == [f"imgconv/kernels/{name}" for name in SHIPPED]
    assert "imgconv/py.typed" in names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"imgconv"}


def test_an_installed_command_lists_its_kernels_far_from_the_checkout(scripts, tmp_path):
    """The installed program finds its own catalogue, wherever it is run."""
    done = call(scripts / "imgconv", "list", "--names", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"blur", "sobel-left", "kirsch-nw", "outline"} <= set(done.stdout.split())
    where = call(
        scripts / "python", "-c", "import imgconv; print(imgconv.__file__)", folder=tmp_path
    )
    assert Path(where.stdout.strip()).is_relative_to(scripts.parent)


def test_an_installed_command_filters_a_picture_far_from_the_checkout(scripts, tmp_path):
    """What the wheel asks for is enough to filter a sample: its edges are not flat."""
    shutil.copy(ROOT / "samples" / "scene-gray.png", tmp_path / "scene.png")
    done = call(scripts / "imgconv", "apply", "scene.png", "-k", "outline", "-q", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    code = (
        "from PIL import Image\n"
        "a, b = Image.open('scene.png'), Image.open('scene.outline.png')\n"
        "assert a.size == b.size and a.mode == b.mode and a.tobytes() != b.tobytes()\n"
        "low, high = b.getextrema()\n"
        "assert low < high\n"
    )
    seen = call(scripts / "python", "-c", code, folder=tmp_path)
    assert (seen.returncode, seen.stderr) == (0, "")


def test_a_checkout_runs_without_being_installed(checkout, tmp_path):
    """Python -m imgconv in a checkout uses its own code and catalogue, also from elsewhere."""
    own = shutil.copytree(checkout, tmp_path / "own")
    (own / "kernels" / "only-here.toml").write_text("[only-here]\nweights = [[1]]\n")
    for folder, path in ((own, ""), (tmp_path, str(own))):
        done = call(
            sys.executable, "-m", "imgconv", "list", "--names", folder=folder, PYTHONPATH=path
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert {"blur", "sobel-left", "only-here"} <= set(done.stdout.split())
