"""Files in stores that fsspec knows: their URLs, and what is read, written and listed there."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from imgconv.errors import ImageError, ImgconvError, OptionError, heed_cause, one_line, shortened
from imgconv.light import NamedTuple
from imgconv.pictures.formats import ENDINGS

WEB = ("http", "https")  # whose URLs may have queries, and which only give
# Stores where a file is there at once and whole, when its upload has ended; others show the bytes
# as they come, and have to get them under another name first.
WHOLE = (
    "abfs", "abfss", "az", "gcs", "gs", "hf", "memory", "oci", "oss", "s3", "s3a", "tos",
)  # fmt: skip
FOLDER = "is a folder; --recursive walks it"
HOSTLESS = ("memory",)  # where all of a URL is a path
# What libraries log of a failure is told by our own error.
logging.getLogger().addHandler(logging.NullHandler())


class Url(NamedTuple):
    """A file or folder in a store, with the parts of its name as `pathlib.Path` calls them."""

    root: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        return self.root + self.path + self.query

    @property
    def protocol(self) -> str:
        """The word before the colon."""
        return self.root.partition(":")[0].lower()

    @property
    def name(self) -> str:
        """The last part of the path, as people write it; the query is none of it."""
        return self.plain(self.path.rpartition("/")[2])

    def plain(self, path: str) -> str:
        """Return a path as people write it, with the same slashes: on the web, decoded."""
        if self.protocol not in WEB:
            return path
        decoded = [(part, unquote(part)) for part in path.split("/")]
        return "/".join(part if re.search(r"[/\0]", plain) else plain for part, plain in decoded)

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The name's ending, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Url:
        """The folder."""
        folder = self.path.rpartition("/")[0]
        if folder or self.protocol in HOSTLESS:
            return Url(self.root, folder)
        return Url(self.root.rstrip("/"), "")

    def with_name(self, name: str) -> Url:
        """Return a file beside this one."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Url:
        """Return a file with another ending."""
        return self.with_name(self.stem + suffix)

    def __truediv__(self, name: str) -> Url:
        if not self.path:
            return Url(self.root if self.root.endswith("/") else f"{self.root}/", name)
        return Url(self.root, f"{self.path.rstrip('/')}/{name}")

    def exists(self) -> bool:
        """Return whether there is such a file."""
        with _told(self, "looked up"):
            fs, path = _store(self)
            return bool(fs.exists(path))

    def is_folder(self) -> bool:
        """Return whether it is a folder: by a slash at the end, else as the store says.

        A name that ends as a picture does is not asked for; nor is the web, which has no folders.
        """
        if str(self).endswith("/"):
            return True
        if self.protocol in WEB or self.suffix.lower() in ENDINGS:
            return False
        with _told(self, "looked up"):
            fs, path = _store(self)
            found = bool(fs.isdir(path))
            fs.invalidate_cache()  # what is looked up later may be new
            return found

    def place(self) -> tuple[Any, str]:
        """Return what two URLs of one file share: the file system and the path there."""
        with _told(self, "reached", OptionError):
            return _store(self)

    def stamp(self) -> str:
        """Return what changes when the file does; nothing where the store does not tell."""
        with contextlib.suppress(Exception):
            fs, path = _store(self)
            info = fs.info(path)
            keys = ("ETag", "etag", "md5Hash", "Content-MD5", "generation", "LastModified")
            times = ("Last-Modified", "last_modified", "mtime", "modify", "updated", "created")
            for key in keys + times:
                if info.get(key):
                    return f"{info.get('size')} {info[key]}"
        return ""

    def refuse_folder(self) -> None:
        """Raise an error for what is a folder."""
        if self.is_folder():
            raise ImageError(FOLDER)

    def read(self) -> bytes:
        """Return the bytes of the file."""
        with _told(self, "read"):
            fs, path = _store(self)
            try:
                return bytes(fs.cat_file(path))
            except FileNotFoundError:
                if self.protocol not in WEB and fs.isdir(path):
                    raise ImageError(FOLDER) from None
                raise

    def opened(self) -> IO[bytes]:
        """Return the file, opened so that parts of it are read, where the store gives parts."""
        with _told(self, "read"):
            fs, path = _store(self)
            if self.protocol in WEB or not fs.isdir(path):
                file: IO[bytes] = fs.open(path, "rb")
                if getattr(file, "size", None) is not None:
                    return file
                file.close()
        return io.BytesIO(self.read())

    def refuse_writing(self) -> None:
        """Raise an error where nothing can be written."""
        if self.protocol in WEB:
            raise ImageError(f"{self}: nothing is written to the web; name another place with -o")

    def write(self, data: bytes) -> None:
        """Write the file whole or not at all; an old one stays until the new one is there."""
        self.refuse_writing()
        with _told(self, "written"):
            fs, path = _store(self)
            if self.protocol in WHOLE:
                fs.pipe_file(path, data)
            else:
                _write_aside(fs, path, data)


def url(name: str) -> Url:
    """Return the parts of a URL."""
    if "::" in name:
        raise OptionError(f"{name} is a chain of URLs; copy the file to where one URL names it")
    scheme = name.partition("://")[0].lower()
    host = "" if scheme in HOSTLESS else "[^/?#]*" if scheme in WEB else "[^/]*"
    path = "[^?#]*" if scheme in WEB else ".*"
    match = re.fullmatch(rf"([^:]+://{host}/*)({path})(.*)", name, re.DOTALL)
    assert match  # by what files.is_url says of the name
    return Url(*match.groups())


def local(name: str) -> str:
    """Return the path of a file:// URL, or of one of fsspec's local://; other names as they are."""
    scheme, mark, rest = name.partition("://")
    if mark and scheme.lower() == "local":
        return rest
    if not mark or scheme.lower() != "file":
        return name
    host = urlsplit(name).netloc
    if host not in ("", "localhost"):
        raise OptionError(f"{name} names a host, {host}; a file here is file:///folder/name")
    return url2pathname(name[len("file://") + len(host) :])


def expand(name: str) -> list[str]:
    """Return the files that a URL names: several where it is a pattern, as a shell would.

    Raises
    ------
    OptionError
        If there is none.
    """
    if (path := local(name)) != name:
        return expand_here(path)
    pattern = url(name)
    magic = re.search(r"[*\[]" if pattern.protocol in WEB else r"[*?\[]", pattern.path)
    if not magic:
        return [name]
    base = Url(pattern.root, pattern.path[: magic.start()].rpartition("/")[0])
    with _told(pattern, "listed", OptionError):
        fs, path = _store(pattern)
        _, start = _store(base)
        found = [
            str(base / _within(start, each))
            for each, info in sorted(fs.glob(path, detail=True).items())
            if info["type"] != "directory"
        ]
        fs.invalidate_cache()  # what will be asked for has not been written yet
        if not found and fs.exists(path):  # a name with such characters
            return [name]
    if not found:
        raise OptionError(f"{name} matches no file; look at the pattern")
    return found


def expand_here(path: str) -> list[str]:
    """Return the files here that a path names: several where it is a pattern, as a shell would.

    Raises
    ------
    OptionError
        If there is none.
    """
    from glob import glob, has_magic

    if not has_magic(path) or os.path.lexists(path):
        return [path]
    if found := sorted(glob(path, recursive=True)):
        return found
    raise OptionError(f"{path} matches no file; look at the pattern")


def walk(folder: Url, output: str | None, *, recursive: bool) -> Iterator[tuple[str, str]]:
    """Yield the files in a folder, or also below, and their paths within it, by their names.

    What is in the output folder is none of them.

    Raises
    ------
    OptionError
        If the folder cannot be listed, or would have an output leave its own folder.
    """
    with _told(folder, "listed", OptionError):
        fs, path = _store(folder)
        found = [_within(path, each) for each in fs.find(path, maxdepth=None if recursive else 1)]
        fs.invalidate_cache()
    if not found:
        raise OptionError(f"{folder} is no folder with files; look at its name")
    avoided = _avoided(folder, output)
    for within in sorted(found, key=_order):
        if avoided and within.startswith(avoided):
            continue
        plain = folder.plain(within)
        if ".." in plain.split("/"):
            raise OptionError(f"{folder / within} has '..' in its path; name it by itself")
        yield str(folder / within), plain


def _avoided(folder: Url, output: str | None) -> str:
    """How the paths begin that are in the output folder, where that is in the folder."""
    if output is None or "://" not in output or "{" in output:
        return ""
    (here, base), (there, path) = folder.place(), url(output).place()
    below = path.rstrip("/").startswith(base.rstrip("/") + "/")
    return _within(base, path.rstrip("/")) + "/" if here == there and below else ""


def _within(base: str, path: str) -> str:
    """A path that a store has listed, from the folder that it is in."""
    return path[len(base.rstrip("/")) :].lstrip("/")


def _order(path: str) -> list[tuple[bool, str]]:
    """The files of a folder come before those of the folders in it."""
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]


def _store(url: Url) -> tuple[Any, str]:
    """What fsspec has for a URL: the file system, of which it keeps one, and the path there."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise OptionError(f"{url} is read with fsspec; pip install 'imgconv[dask]'") from None
    try:
        fs, path = url_to_fs(str(url))
    except ImportError as error:
        raise OptionError(f"{url.protocol}:// wants another package: {_line(error)}") from None
    except ValueError as error:
        if "not known" not in str(error):
            raise
        raise OptionError(
            f"{url.protocol}:// is no protocol that fsspec knows, as s3, gs, abfs, https and sftp"
        ) from None
    return fs, path


def _write_aside(fs: Any, path: str, data: bytes) -> None:
    """Write under another name beside the file, then give it its own."""
    folder = path.rpartition("/")[0]
    temporary = f"{folder}/.imgconv-{os.urandom(6).hex()}.part"
    _make_folder(fs, folder)
    try:
        fs.pipe_file(temporary, data)
        _move(fs, temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            fs.rm_file(temporary)
        raise


def _make_folder(fs: Any, folder: str) -> None:
    """Make a folder and those above it; another thread or process may be at the same."""
    for attempt in range(5):
        try:
            if folder:
                fs.makedirs(folder, exist_ok=True)
            return
        except Exception:
            if attempt == 4:
                raise
            fs.invalidate_cache()


def _move(fs: Any, temporary: str, path: str) -> None:
    """Rename over what is there; where a store refuses that, the old file goes aside first."""
    try:
        fs.mv(temporary, path)
    except Exception:
        if not (fs.exists(path) and fs.exists(temporary)):
            raise
        aside = temporary.replace(".imgconv-", ".imgconv-old-")
        try:
            fs.mv(path, aside)
            fs.mv(temporary, path)
        finally:  # wherever that ended
            if fs.exists(aside):
                fs.rm_file(aside) if fs.exists(path) else fs.mv(aside, path)


@contextlib.contextmanager
def _told(url: Url, what: str, kind: type[ImgconvError] = ImageError) -> Iterator[None]:
    """Tell of what a store or the way there refuses, in one line."""
    try:
        yield
    except ImgconvError:
        raise
    except Exception as error:  # each library has its own
        heed_cause(error)
        subject = "" if what == "read" else f"{url} "
        raise kind(f"{subject}cannot be {what}: {_reason(url, error)}") from None


def _reason(url: Url, error: Exception) -> str:
    text = _line(error)
    if "credential" in type(error).__name__.lower() or "credential" in text.lower():
        return f"no credentials for {url.protocol}://; set them as its own tools want them"
    if isinstance(error, FileNotFoundError):
        return text if text and url.name not in text else "no such file or folder"
    if isinstance(error, PermissionError):
        return f"{text or 'forbidden'}; other credentials may be allowed to"
    if isinstance(error, TimeoutError):
        return "no answer in time; look at the network"
    return text or type(error).__name__


def _line(error: Exception) -> str:
    """What an error says, on one line."""
    status = getattr(error, "status", None)
    said = getattr(error, "strerror", None) or str(error)
    text = f"{status} {getattr(error, 'message', '')}" if status else said
    return shortened(one_line(text), 160)
