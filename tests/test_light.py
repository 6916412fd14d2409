"""What the standard library has, made lighter: it is as that is."""

import pathlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgconv.light import Path

PARTS = st.text("a.b-/", max_size=9)


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_paths_are_those_of_pathlib(parts):
    """Whatever is joined, and every part of it."""
    ours, theirs = Path(*parts), pathlib.Path(*parts)
    assert str(ours) == str(theirs)
    for part in ("name", "stem", "suffix"):
        assert getattr(ours, part) == getattr(theirs, part)
    assert ours.parent == str(theirs.parent)
    assert ours / "c" == str(theirs / "c")
    assert ours / "/c" == str(theirs / "/c")
    if theirs.name:
        assert ours.with_name("c.d") == str(theirs.with_name("c.d"))
        assert ours.with_suffix(".e") == str(theirs.with_suffix(".e"))
        assert ours.with_stem("c") == str(theirs.with_stem("c"))
    assert pickle.loads(pickle.dumps(ours)) == ours


def test_the_home_folder_is_that_of_pathlib(monkeypatch):
    """Or there is none."""
    assert Path.home() == str(pathlib.Path.home())
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(RuntimeError, match="home"):
        Path.home()
