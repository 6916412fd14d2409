"""URLs as inputs and outputs: in memory, on the web, in S3, and where puts are not whole."""

import functools
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import pathname2url

import numpy as np
import pytest

from tests.images import noise, saved

fsspec = pytest.importorskip("fsspec")
from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402

from imgconv.pictures import stores  # noqa: E402

PICTURE = saved(noise(), "PNG")
K = ["-k", "sobel-left", "-q"]


@pytest.fixture
def memory():
    """An empty store in this process, with a few pictures in it."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    for name in ("b.png", "a.png", "deep/c.PNG", "deep/.d/e.png", "deep/notes.txt", "deep/t.csv"):
        fs.pipe_file(f"/in/{name}", PICTURE)
    return fs


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(result, field: str = "output") -> list[str]:
    """Return a field of each outcome."""
    return [json.loads(line)[field] for line in result.text.splitlines()]


def test_a_file_goes_through_stores_as_through_folders(run, memory, here):
    """The same bytes, whichever end is in a store."""
    Path("a.png").write_bytes(PICTURE)
    ways = [
        ("a.png", "x.png"), ("a.png", "memory://x.png"), ("memory://in/a.png", "y.png"),
        ("memory://in/a.png", "memory://deep/er/y.png"),
    ]  # fmt: skip
    for source, target in ways:
        result = run("apply", source, *K, "-o", target)
        assert (result.code, result.err) == (0, "")
    expected = Path("x.png").read_bytes()
    assert Path("y.png").read_bytes() == expected
    assert memory.cat("/x.png") == memory.cat("/deep/er/y.png") == expected
    assert here.joinpath("memory:").exists() is False


def test_arrays_are_kept_in_stores(run, memory, here):
    """As in files."""
    np.save("a.npy", np.arange(30, dtype=np.uint8).reshape(5, 6))
    memory.pipe_file("/a.npy", here.joinpath("a.npy").read_bytes())
    for ending in ("npy", "csv"):
        args = [*K, "--levels", "clip", "-o"]
        assert run("apply", "a.npy", *args, f"b.{ending}").code == 0
        assert run("apply", "memory://a.npy", *args, f"memory://b.{ending}").code == 0
        assert memory.cat(f"/b.{ending}") == Path(f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["memory://in/a.png"], None, ["memory://in/a.sobel-left.png"]),
        (["memory://in/*.png"], "memory://o/", ["memory://o/a.png", "memory://o/b.png"]),
        (["memory://in/**/*.png"], "{stem}-{index}.png", ["a-1.png", "b-2.png", "e-3.png"]),
        (["memory://in/deep/c.PNG"], "{parent}/{stem}-x{suffix}", ["memory://in/deep/c-x.PNG"]),
        (["memory://in/deep/c.PNG"], "memory://o/{parent}/{name}", ["memory://o/in/deep/c.PNG"]),
        (["memory://in/deep/c.PNG"], "o/{parent}/{kernel}.png", ["o/in/deep/sobel-left.png"]),
        (["memory://in/a.png"], "memory://in/deep", ["memory://in/deep/a.png"]),
        (["memory://in/a.png", "memory://in/b.png"], "o/", ["o/a.png", "o/b.png"]),
    ],
)
@pytest.mark.usefixtures("memory", "here")
def test_outputs_are_named_by_the_path_of_a_url(run, inputs, output, expected):
    """A folder, a template, or beside the input."""
    out = ["-o", output] if output else []
    result = run("apply", *inputs, *K, *out, "--json")
    assert (result.code, told(result)) == (0, expected)


def test_the_tree_of_a_store_is_mirrored(run, memory, here):
    """--recursive takes what ends as a picture does; what is in the output folder is no input."""
    tree = ["a.png", "b.png", "deep/c.PNG", "deep/.d/e.png"]
    for _ in range(2):
        result = run(
            "apply", "memory://in", *K, "--recursive", "-o", "memory://in/out/", "-f", "--json"
        )
        assert told(result) == [f"memory://in/out/{name}" for name in tree]
    assert run("apply", "memory://in/", *K, "--recursive", "-o", "local/").code == 0
    found = {str(p.relative_to("local")) for p in Path("local").rglob("*.*") if p.is_file()}
    assert found == {*tree, *(f"out/{name}" for name in tree)}
    assert run("apply", "local", *K, "--recursive", "-o", "memory://back/").code == 0
    assert len(memory.find("/back")) == 8
    assert here.joinpath("local").is_dir()


@pytest.mark.usefixtures("here")
def test_no_name_in_a_store_leads_out_of_the_output_folder(run, memory, monkeypatch):
    """A key with .. in it is refused."""
    monkeypatch.setattr(type(memory), "find", lambda *_, **__: ["/in/../../evil.png"])
    result = run("apply", "memory://in", *K, "--recursive", "-o", "o/")
    assert (result.code, "'..'" in result.err, len(result.errors)) == (2, True, 1)


@pytest.mark.usefixtures("here")
def test_names_come_from_lists_as_they_are(run, memory):
    """A list may hold URLs, whose asterisks are their own."""
    memory.pipe_file("/in/*.png", PICTURE)
    listed = b"memory://in/*.png\nmemory://in/b.png\n"
    result = run("apply", "--files-from", "-", *K, "-o", "o/", "--json", stdin=listed)
    assert (result.code, told(result)) == (0, ["o/*.png", "o/b.png"])


def test_existing_outputs_are_kept_in_stores_too(run, memory):
    """Refused, skipped, overwritten as told; a dry run writes nothing."""
    args = ["apply", "memory://in/a.png", *K, "-o"]
    memory.pipe_file("/o.png", b"mine")
    assert run(*args, "memory://o.png", "-n").code == 1
    result = run(*args, "memory://o.png")
    assert (result.code, "memory://o.png exists; --force" in result.err) == (1, True)
    assert told(run(*args, "memory://o.png", "--skip-existing", "--json"), "status") == ["skipped"]
    assert memory.cat("/o.png") == b"mine"
    assert run(*args, "memory://new.png", "-n").text == "memory://in/a.png -> memory://new.png\n"
    assert not memory.exists("/new.png")
    assert run(*args, "memory://o.png", "-f").code == 0
    assert memory.cat("/o.png") != b"mine"
    assert "exists" in run("apply", "memory://in/a.png", *K, "-o", "memory://in/a.png").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["memory://in/z*.png"], "matches no file"),
        (["memory://none/", "--recursive"], "no folder with files"),
        (["foo://in/a.png"], "foo:// is no protocol that fsspec knows"),
        (["memory://in/a.png", "memory:///in/a.png"], "would both be written"),
        (["memory://in/a.png", "memory://in/b.png", "-o", "memory://x.png"], "2 inputs for one"),
        (["memory://in/a.png", "-o", "memory://x"], "cannot write"),
        (["zip://a.png::memory://x.zip"], "chain"),
        (["file://host/a.png"], "names a host"),
    ],
)
@pytest.mark.usefixtures("memory", "here")
def test_what_is_wrong_with_a_url_is_told_before_the_first_file(run, arguments, words):
    """One line, and exit 2."""
    result = run("apply", *arguments, *K)
    assert (result.code, len(result.errors), words in result.err) == (2, 1, True), result.err


@pytest.mark.usefixtures("memory", "here")
def test_a_bad_url_fails_alone(run):
    """What is not there is one line; the pictures directly in a folder are taken."""
    inputs = ["memory://in/none.png", "memory://in", "memory://in/deep/", "memory://in/a.png"]
    result = run("apply", *inputs, *K, "-o", "{index}.png", "--json")
    assert told(result, "input") == [
        "memory://in/none.png", "memory://in/a.png", "memory://in/b.png", "memory://in/deep/c.PNG",
        "memory://in/a.png",
    ]  # fmt: skip
    assert told(result, "status") == ["failed", "ok", "ok", "ok", "ok"]
    assert "no such file" in told(result, "error")[0]


def test_without_fsspec_the_extra_is_named(run, monkeypatch):
    """One line before the first file."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    result = run("apply", "memory://in/a.png", *K)
    assert (result.code, "pip install 'imgconv[dask]'" in result.err) == (2, True)
    assert len(result.errors) == 1


@pytest.mark.usefixtures("here")
def test_file_urls_are_files_here(run, tmp_path):
    """Names with spaces are decoded, patterns filled in, and the journal and --force agree."""
    for name in ("a b.png", "c.png"):
        Path(name).write_bytes(PICTURE)
    url = f"file://{pathname2url(str(tmp_path))}"
    assert run("apply", f"{url}/a%20b.png", *K, "-o", f"{url}/o/").code == 0
    assert Path("o/a b.png").exists()
    result = run("apply", f"{url}/*.png", *K, "-o", "p/", "--json")
    assert told(result) == ["p/a b.png", "p/c.png"]
    assert "exists" in run("apply", "c.png", *K, "-o", f"{url}/c.png").err


def test_a_changed_picture_in_a_store_is_done_again(run, memory):
    """--resume asks the store for what it knows of a file."""
    args = ["apply", "memory://in/*.png", *K, "-o", "memory://o/", "--json", "--resume"]
    assert told(run(*args), "status") == ["ok", "ok"]
    assert told(run(*args), "status") == ["skipped", "skipped"]
    memory.pipe_file("/in/b.png", saved(noise(size=(3, 3)), "PNG"))
    assert told(run(*args), "status") == ["skipped", "ok"]
    memory.pipe_file("/o/a.png", b"mine")
    assert told(run(*args), "status") == ["failed", "skipped"]


class Aside(MemoryFileSystem):
    """A store that shows bytes as they come and may refuse to rename over a file, as FTP and SMB.

    It breaks off in the middle of a file whose size is `limit` or more.
    """

    protocol = "aside"
    cachable = False
    store: dict = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    over, limit, racing = True, 1 << 30, False

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("aside://", "memory://"))

    def pipe_file(self, path, value, **_):
        """Write half of the bytes, then the rest."""
        super().pipe_file(path, value[: len(value) // 2])
        if len(value) >= self.limit:
            raise ConnectionError("the line is\ndead")
        super().pipe_file(path, value)

    def makedirs(self, path, exist_ok=False):
        """Make a folder, which another one has just made."""
        if Aside.racing:
            Aside.racing = False
            raise FileExistsError(path)
        super().makedirs(path, exist_ok)

    def mv(self, path1, path2, **_):
        """Rename."""
        if path2 in self.store and not self.over:
            raise FileExistsError(path2)
        self.store[path2] = self.store.pop(path1)


@pytest.fixture
def aside(monkeypatch):
    """The store above, empty."""
    fsspec.register_implementation("aside", Aside, clobber=True)
    monkeypatch.setattr(Aside, "store", {})
    return monkeypatch


@pytest.mark.parametrize("over", [True, False])
@pytest.mark.usefixtures("memory")
def test_an_output_appears_whole_or_not_at_all(run, aside, over):
    """Under another name first; what fails leaves the old file, and nothing beside it."""
    aside.setattr(Aside, "over", over)
    aside.setattr(Aside, "racing", True)
    args = ["apply", "memory://in/a.png", *K, "-o", "aside://host/o/a.png"]
    assert run(*args).code == 0
    old = bytes(Aside.store["/host/o/a.png"].getvalue())
    assert "exists" in run(*args).err
    aside.setattr(Aside, "limit", 10)
    result = run(*args, "-f", "--levels", "abs")
    assert (result.code, len(result.errors)) == (1, 1)
    assert "aside://host/o/a.png cannot be written: the line is dead" in result.err
    assert {name: file.getvalue() for name, file in Aside.store.items()} == {"/host/o/a.png": old}
    aside.setattr(Aside, "limit", 1 << 30)
    assert run(*args, "-f", "--levels", "abs").code == 0
    (name,) = Aside.store
    assert (name, Aside.store[name].getvalue() != old) == ("/host/o/a.png", True)


def test_the_old_file_comes_back_where_the_new_one_cannot_be_named(run, memory, aside):
    """A store that breaks between two renamings."""
    aside.setattr(Aside, "over", False)
    args = ["apply", "memory://in/a.png", *K, "-o", "aside://host/a.png"]
    run(*args)
    old = Aside.store["/host/a.png"].getvalue()

    def mv(self, path1, path2, **_):
        if path1.endswith(".part") and "old" not in path1:
            raise PermissionError("not you")
        self.store[path2] = self.store.pop(path1)

    aside.setattr(Aside, "mv", mv)
    result = run(*args, "-f")
    assert (result.code, "not you" in result.err) == (1, True)
    assert {name: file.getvalue() for name, file in Aside.store.items()} == {"/host/a.png": old}
    assert memory.exists("/in/a.png")


@pytest.mark.parametrize("at", ["old", "new"])
def test_an_interrupt_between_two_renamings_leaves_one_whole_file(at, aside):
    """The old one or the new one, and nothing beside it."""
    aside.setattr(Aside, "over", False)
    target = stores.url("aside://host/a.png")
    target.write(b"the old one")
    rename = Aside.mv

    def mv(self, path1, path2, **_):
        rename(self, path1, path2)
        if ("old" in path2) == (at == "old"):
            raise KeyboardInterrupt

    aside.setattr(Aside, "mv", mv)
    with pytest.raises(KeyboardInterrupt):
        target.write(b"the new one")
    ((name, file),) = Aside.store.items()
    assert (name, file.getvalue()) == ("/host/a.png", f"the {at} one".encode())


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://b/in/a.b.png", ("s3://b/in", "a.b", ".png", "s3://b/in/x")),
        ("s3://b/a?#.png", ("s3://b", "a?#", ".png", "s3://b/x")),
        ("https://h:8/in/a%20b.jpg?w=1/2#c", ("https://h:8/in", "a b", ".jpg", "https://h:8/in/x")),
        ("https://h/a%2Fb.png", ("https://h", "a%2Fb", ".png", "https://h/x")),
        ("https://h?x=y", ("https://h", "", "", "https://h/x")),
        ("memory://a.png", ("memory://", "a", ".png", "memory://x")),
        ("sftp://u@h:22/home/a", ("sftp://u@h:22/home", "a", "", "sftp://u@h:22/home/x")),
    ],
)
def test_the_parts_of_a_url(url, parts):
    """As `pathlib` calls them; a query is the web's alone, and no slash comes from a name."""
    found = stores.url(url)
    beside = found.with_name("x")
    assert (str(found.parent), found.stem, found.suffix, str(beside)) == parts
    assert str(found) == url


@pytest.fixture
def web(tmp_path):
    """A web server on loopback over a folder with a picture; its address."""
    folder = tmp_path / "web"
    folder.mkdir()
    folder.joinpath("a b.png").write_bytes(PICTURE)
    folder.joinpath("c.png").write_bytes(PICTURE)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def imgconv(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the program, as libraries log and end in a process of their own."""
    return subprocess.run(
        [sys.executable, "-m", "imgconv", "apply", *arguments],
        capture_output=True, text=True, env=os.environ | variables, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not importlib.util.find_spec("aiohttp"), reason="no aiohttp")
@pytest.mark.usefixtures("here")
def test_the_web_gives_and_takes_nothing(web):
    """Pictures are read; without -o, and with a web address there, each fails with the remedy."""
    named = f"{web}/a%20b.png?size=3", f"{web}/none.png", f"{web}/c.png", "http://127.0.0.1:9/a.png"
    result = imgconv(*named, *K, "-o", "o/")
    assert (result.returncode, result.stderr.count("\n")) == (1, 2), result.stderr
    assert "none.png: cannot be read: no such file" in result.stderr
    assert sorted(os.listdir("o")) == ["a b.png", "c.png"]
    for every in ([f"{web}/*.png"], [f"{web}/", "--recursive"]):
        result = imgconv(*every, *K, "-o", "p/")
        assert (result.returncode, result.stderr) == (0, "")
        assert sorted(os.listdir("p")) == ["a b.png", "c.png"]
        shutil.rmtree("p")
    for out in ([], ["-o", f"{web}/new.png"]):
        result = imgconv(f"{web}/c.png", *K, *out)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1)
        assert "nothing is written to the web; name another place with -o" in result.stderr


@pytest.fixture(scope="module")
def s3():
    """An S3 store on loopback, from moto, as variables of the environment."""
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    running.stop()


@pytest.mark.stores
@pytest.mark.usefixtures("here")
def test_an_s3_store_takes_part(s3):
    """Patterns, trees, --resume and errors of a real protocol, with nothing else on stderr."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=s3["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
    )  # fmt: skip
    client.create_bucket(Bucket="bucket")
    for name in ("a.png", "b.png", "deep/c [1].png"):
        client.put_object(Bucket="bucket", Key=f"in/{name}", Body=PICTURE)
    args = ["s3://bucket/in", "--recursive", *K, "-o", "s3://bucket/in/out/", "--resume", "--json"]
    first, second = imgconv(*args, **s3), imgconv(*args, **s3)
    for result, status in ((first, '"ok"'), (second, '"skipped"')):
        assert (result.returncode, result.stdout.count(status)) == (0, 3), result.stderr
        assert result.stderr == ""
    result = imgconv("s3://bucket/in/*.png", *K, "-o", "local/", **s3)
    assert (result.returncode, len(os.listdir("local"))) == (0, 2)
    body = client.get_object(Bucket="bucket", Key="in/out/a.png")["Body"].read()
    assert body == Path("local/a.png").read_bytes()
    result = imgconv("s3://bucket/in/a.png", "s3://none/b.png", *K, "-o", "x/", **s3)
    assert (result.returncode, "bucket does not exist" in result.stderr) == (1, True)
    s3 = dict.fromkeys(s3, "") | {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    result = imgconv("s3://bucket/in/*.png", *K, "-o", "local/", **s3)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
