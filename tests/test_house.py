"""The house: every import goes down the wings or sideways within one, never up, never round."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

# From the ground up; what stands in one line imports nothing of its neighbours that imports it.
WINGS = (
    {"errors", "light"},
    {"kernels"},
    {"compiled"},
    {"engine"},
    {"pictures"},
    {"pipeline", "arrays", "dask"},
    {""},  # the package itself: the public names and the version
    {"runs"},
    {"teach"},
    {"cli"},
    {"__main__"},
)
FLOOR = {wing: floor for floor, wings in enumerate(WINGS) for wing in wings}
MOST_LINES = 400
BESIDE = {
    "__init__.py", "__main__.py", "arrays.py", "dask.py", "errors.py", "light.py", "py.typed",
}  # fmt: skip

Imports = Mapping[str, set[str]]


def modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules, "" for the package itself."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path], package: str) -> Iterator[str]:
    """Yield the modules that a file imports, in functions and for type checkers as well."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            inner = [f"{module}.{alias.name}" for alias in node.names]
            names = [n if n.removeprefix(f"{package}.") in known else module for n in inner]
        else:
            continue
        for name in names:
            if name == package or name.startswith(f"{package}."):
                yield name.removeprefix(package).removeprefix(".")


def imports(package: Path) -> Imports:
    """Return what each module of a package imports of it."""
    known = modules(package)
    return {name: set(imported(path, known, package.name)) for name, path in known.items()}


def faults(graph: Imports) -> list[str]:
    """Return the imports that go up, and the circles: among modules, and among wings."""
    found = []
    between: dict[str, set[str]] = {}
    for module, others in graph.items():
        here = module.partition(".")[0]
        for other in sorted(others):
            there = other.partition(".")[0]
            if FLOOR[there] > FLOOR[here]:
                found.append(f"{module or 'imgconv'} imports {other or 'imgconv'}, which is above")
            if there != here:
                between.setdefault(here, set()).add(there)
    for each in (graph, between):
        try:
            TopologicalSorter(each).prepare()
        except CycleError as error:
            found.append(f"a circle: {' -> '.join(error.args[1])}")
    return found


@pytest.fixture(scope="module")
def house() -> Imports:
    """What each of our modules imports of ours."""
    return imports(ROOT / "imgconv")


def test_imports_go_down_and_never_in_a_circle(house):
    """Over all modules; `cli` is at the top, `errors` on the ground."""
    assert len(house) > 50
    assert faults(house) == []


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("engine/levels.py", "from imgconv.pictures import decode", "above"),
        ("kernels/kernel.py", "import imgconv.engine.geometry", "above"),
        ("pictures/files.py", "    from imgconv.runs.report import say", "above"),
        ("runs/report.py", "    from imgconv.cli import app", "above"),
        ("pictures/picture.py", "    from imgconv.pictures.decode import read", "circle"),
        ("arrays.py", "    import imgconv.dask", "circle"),
        ("errors.py", "    from imgconv import Kernel", "above"),
    ],
)
def test_a_planted_import_is_found(tmp_path, house, file, line, told):
    """One that goes up or round, at the top, in a function or for type checkers alone."""
    inside = ROOT / "imgconv"
    planted = tmp_path / "planted.py"
    block = "\n\nif TYPE_CHECKING:\n" if line.startswith(" ") else "\n\n"
    planted.write_text((inside / file).read_text() + block + line + "\n")
    known = modules(inside)
    module = next(name for name, path in known.items() if path == inside / file)
    found = faults({**house, module: set(imported(planted, known, "imgconv"))})
    assert any(told in fault for fault in found)


def test_the_top_holds_the_public_api_and_the_wings():
    """Every other file belongs to a wing, and every wing says what it is for and never does."""
    inside = ROOT / "imgconv"
    assert {p.name for p in inside.iterdir() if p.is_file()} == BESIDE
    wings = {path.parent.name for path in inside.glob("*/*.py")}
    assert wings == {wing for wing in FLOOR if wing} - {Path(name).stem for name in BESIDE}
    for wing in wings:
        said = ast.get_docstring(ast.parse((inside / wing / "__init__.py").read_bytes()))
        assert said, wing
        assert "Hands out" in said, wing
        assert "Never " in said, wing


def test_no_file_is_long():
    """A file that grows beyond a few screens has a second subject."""
    long = {
        name: count
        for name, path in modules(ROOT / "imgconv").items()
        if (count := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_the_tests_are_laid_out_as_the_package_is():
    """A folder of tests for each wing, so that each runs alone."""
    folders = {p.name for p in (ROOT / "tests").iterdir() if any(p.glob("test_*.py"))}
    assert folders == {p.parent.name for p in (ROOT / "imgconv").glob("*/__init__.py")}
