"""Bytes on disk and in pipes: read up to a limit, written whole or not at all."""

import contextlib
import os
import resource
import tempfile
from pathlib import Path

import pytest

from imgconv.errors import ImageError
from imgconv.pictures import files


@contextlib.contextmanager
def small_disk(size: int):
    """Let no file grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def mask(bits: int):
    """Set the umask for a while."""
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def foreign_folder():
    """A folder that this process may look into but not write to, even if it runs as root."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "locked"
        folder.mkdir(0o555)
        Path(base).chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)


def test_a_file_is_written_with_its_missing_folders(tmp_path):
    """Folders on the way are made, and nothing but the file is in the last."""
    target = tmp_path / "one" / "two" / "a.png"
    files.write(b"data", target, force=False)
    assert target.read_bytes() == b"data"
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_file_is_left_alone_without_force(tmp_path):
    """Without force an existing file, or a link to nowhere, is an error and stays."""
    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    link = tmp_path / "link.png"
    link.symlink_to("nowhere.png")
    for path in (target, link):
        with pytest.raises(ImageError, match="exists; --force"):
            files.write(b"after", path, force=False)
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [target, link]


def test_force_overwrites_and_keeps_the_mode(tmp_path):
    """An overwritten file has the new bytes and the permissions it had."""
    target = tmp_path / "a.png"
    target.write_bytes(b"before, and longer than after")
    target.chmod(0o604)
    with mask(0o077):
        files.write(b"after", target, force=True)
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode & 0o7777 == 0o604
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("bits", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_new_file_honours_the_umask(tmp_path, bits, mode):
    """A new file has the permissions of any file that this user makes."""
    target = tmp_path / "a.png"
    with mask(bits):
        files.write(b"data", target, force=False)
    assert target.stat().st_mode & 0o7777 == mode


def test_a_link_is_written_through(tmp_path):
    """Overwriting a link changes the file it leads to, there or not yet; it stays a link."""
    (tmp_path / "real").mkdir()
    for name, before in (("old.png", b"before"), ("new.png", None)):
        real, link = tmp_path / "real" / name, tmp_path / name
        if before:
            real.write_bytes(before)
        link.symlink_to(Path("real") / name)
        files.write(b"after", link, force=True)
        assert link.is_symlink()
        assert real.read_bytes() == b"after"
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["new.png", "old.png"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, exists):
    """A write that fails half-way keeps what was there and leaves no temporary file."""
    target = tmp_path / "a.png"
    if exists:
        target.write_bytes(b"before")
    with small_disk(1000), pytest.raises(ImageError) as caught:
        files.write(b"x" * 10_000, target, force=True)
    assert str(target) in str(caught.value)
    assert "too large" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"] * exists


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    """Ctrl-C while the bytes are on their way to the disk changes nothing."""

    def interrupt(_):
        raise KeyboardInterrupt

    target = tmp_path / "a.png"
    target.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(b"after", target, force=True)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"]


def test_a_folder_that_cannot_be_written_to_is_one_line(foreign_folder):
    """Missing permission is told with the path, in one line."""
    target = foreign_folder / "a.png"
    for path in (target, foreign_folder / "deeper" / "a.png"):
        with pytest.raises(ImageError) as caught:
            files.write(b"data", path, force=False)
        assert str(path) in str(caught.value)
        assert "Permission denied" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(foreign_folder.iterdir()) == []


def test_a_file_on_the_way_is_one_line(tmp_path):
    """A path through a file is told with the path, in one line."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImageError, match=r"a\.png cannot be written: "):
        files.write(b"data", tmp_path / "file" / "a.png", force=False)


@pytest.mark.parametrize("stem", ["a" * 250, "漢" * 83, "😀" * 62], ids=["1", "3", "4"])
def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, stem):
    """The temporary name is no longer than the name that was asked for may be, in bytes."""
    target = tmp_path / f"{stem}.png"
    target.write_bytes(b"the file system takes this name")
    files.write(b"data", target, force=True)
    assert target.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [target]
