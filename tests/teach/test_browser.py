"""The page of `imgconv explain --html` in a real browser computes what imgconv does."""

import base64
import functools
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgconv
from imgconv.pipeline.layout import layout
from tests import ROOT, reference
from tests.chromium import Chromium, program

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not program() and "IMGCONV_BROWSER" not in os.environ,
        reason="needs chromium; .ci/browser installs it",
    ),
]
HEIGHT, WIDTH = 27, 40
STATE = """(() => {
  const number = (text) => Number(text.replace("\u2212", "-"));
  const text = (cells) => [...cells].map((cell) => number(cell.title || cell.textContent));
  const rows = (id) => [...element(id).rows].map((row) => text(row.cells));
  const canvas = element("output-canvas");
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return {
    x: Number(element("output").getAttribute("aria-valuenow")) % width,
    y: Math.floor(Number(element("output").getAttribute("aria-valuenow")) / width),
    samples: rows("samples"), products: rows("products"),
    outside: [...element("samples").rows].map((r) => [...r.cells].map((c) => c.className !== "")),
    channels: [...element("channels").rows].map((row) => text([...row.cells].slice(1))),
    width, height, pixels: btoa(String.fromCharCode(...data)),
    problem: element("problem").textContent,
  };
})()"""


@pytest.fixture(scope="module")
def browser():
    """Start Chromium once."""
    with Chromium() as started:
        yield started


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Return a part of the scene, small enough for the page to have it as it is."""
    with Image.open(ROOT / "samples" / "scene.jpg") as scene:
        return np.asarray(scene.resize((WIDTH, HEIGHT)))


@pytest.fixture
def page(browser, run, tmp_path, image):
    """Open the page of the picture through sobel-left; nothing may be complained of or loaded."""
    Image.fromarray(image).save(tmp_path / "in.png")
    out = tmp_path / "page.html"
    assert run("explain", tmp_path / "in.png", "-k", "sobel-left", "--html", out).code == 0
    browser.complaints.clear()
    browser.requests.clear()
    browser.prefer()
    browser.open(out)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


def state(browser) -> dict:
    """Return what the page shows."""
    found = browser.run(STATE)
    flat = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8)
    found["pixels"] = flat.reshape(found["height"], found["width"], 4)
    return found


@functools.cache
def exact_responses(plane: tuple, kernel: imgconv.Kernel, options: tuple) -> list:
    """Return all responses of a channel by the reference, which is slow."""
    return reference.respond(
        plane, kernel.weights, divisor=kernel.divisor, bias=kernel.bias, **dict(options)
    )


def check(browser, image, kernel, levels="clip", tolerance=0, **options) -> dict:
    """Compare every pixel with imgconv's, and the numbers of the window with the picture's."""
    found = state(browser)
    assert found["problem"] == ""
    kernel = imgconv.load_kernel(kernel)
    wanted = imgconv.apply(image, kernel, levels=levels, **options)
    shown = found["pixels"][:, :, : image.shape[2] if image.ndim == 3 else 1]
    assert (found["pixels"][:, :, 3] == 255).all()
    assert shown.shape[:2] == wanted.shape[:2]
    apart = np.abs(shown.astype(int) - wanted.reshape(shown.shape)).max()
    assert apart <= tolerance
    x, y = found["x"], found["y"]
    for c, (total, response, _, pixel) in enumerate(found["channels"]):
        plane = image[:, :, c] if image.ndim == 3 else image
        plane = tuple(map(tuple, plane.tolist()))
        exact = exact_responses(plane, kernel, tuple(options.items()))[y][x]
        assert response == pytest.approx(float(exact), rel=1e-5)
        assert total == pytest.approx(float((exact - kernel.bias) * kernel.divisor), rel=1e-5)
        assert pixel == shown[y, x, c]
    first = image[:, :, 0] if image.ndim == 3 else image
    samples, outside = neighbours(first, kernel, layout(**options), x, y)
    assert found["samples"] == samples
    assert found["outside"] == outside
    np.testing.assert_allclose(found["products"], np.multiply(samples, kernel.weights), rtol=1e-12)
    return found


def neighbours(plane, kernel, shape, x, y):
    """Return the samples of a window and which of them are outside, by the reference."""
    rows, columns = kernel.size
    (sy, sx), (dy, dx) = shape.stride, shape.dilation
    top, left = dy * (rows - 1) // 2, dx * (columns - 1) // 2
    if shape.padding is not None:
        top, _, _, left = shape.padding
    samples, outside = [], []
    for a in range(rows):
        p = y * sy + a * dy - top
        samples.append([])
        outside.append([])
        for b in range(columns):
            q = x * sx + b * dx - left
            at = (
                reference.source(p, plane.shape[0], shape.border),
                reference.source(q, plane.shape[1], shape.border),
            )
            samples[-1].append(shape.fill if None in at else int(plane[at]))
            outside[-1].append(not (0 <= p < plane.shape[0] and 0 <= q < plane.shape[1]))
    return samples, outside


def put(browser, field: str, value: object) -> None:
    """Choose in a list, or write into a field as a user does; weights are "row,column"."""
    row, comma, column = field.partition(",")
    weight = f"element('weights').rows[{row}].cells[{column}].firstChild"
    found = weight if comma else f"element('{field}')"
    browser.run(f"""(() => {{
        const field = {found};
        field.focus();
        if (field.select) field.select();
    }})()""")
    if browser.run("document.activeElement.tagName") == "SELECT":
        browser.run(f"""(() => {{
            const field = document.activeElement;
            field.value = {json.dumps(value)};
            field.dispatchEvent(new Event("change", {{ bubbles: true }}));
        }})()""")
    else:
        browser.type(str(value))
    browser.run("document.activeElement.blur()")


def choose(browser, name: str) -> None:
    """Choose a kernel of the list."""
    browser.run(f"""[...document.querySelectorAll("#kernels label")].find((label) =>
        label.querySelector(".called").textContent === {json.dumps(name)}).click()""")


def place(browser, stage: str, across: float, down: float) -> tuple[float, float]:
    """Return a point of the window, given as shares of a picture's sides."""
    x, y, width, height = browser.run(
        f"(() => {{ const r = element('{stage}').getBoundingClientRect();"
        "return [r.x, r.y, r.width, r.height]; })()"
    )
    return x + across * width, y + down * height


def test_the_pointer_moves_the_window(page, image):
    """At 20 places of either picture, the corners among them; a click holds it."""
    random = np.random.default_rng(5)
    places = [(0, 0), (WIDTH - 1, 0), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1)]
    places += [(int(random.integers(WIDTH)), int(random.integers(HEIGHT))) for _ in range(16)]
    for i, (x, y) in enumerate(places):
        stage = ("input", "output")[i % 2]
        page.mouse(*place(page, stage, (x + 0.5) / WIDTH, (y + 0.5) / HEIGHT))
        found = check(page, image, "sobel-left")
        assert (found["x"], found["y"]) == (x, y)
    page.mouse(*place(page, "input", 0.5, 0.5), "click")
    held = state(page)
    page.mouse(*place(page, "input", 0.1, 0.1))
    assert (state(page)["x"], state(page)["y"]) == (held["x"], held["y"])
    page.press("Escape")
    page.mouse(*place(page, "input", 0.1, 0.1))
    assert state(page)["x"] < held["x"]


def test_keys_and_fingers_move_it_too(page, image):
    """Arrows by one, with Shift by ten, Home and End; a finger drawn over the picture."""
    page.run("element('input').focus()")
    at = [state(page)[way] for way in "xy"]
    for key, shift, move in [
        ("ArrowRight", False, (1, 0)), ("ArrowDown", False, (0, 1)),
        ("ArrowLeft", True, (-10, 0)), ("ArrowUp", True, (0, -10)),
    ]:  # fmt: skip
        page.press(key, shift=shift)
        at = [at[0] + move[0], at[1] + move[1]]
        found = check(page, image, "sobel-left")
        assert [found["x"], found["y"]] == at
    page.press("Home")
    assert state(page)["x"] == 0
    page.press("End")
    assert state(page)["x"] == WIDTH - 1
    page.size(390, 844, touch=True)
    page.touch(place(page, "input", 0.5, 0.5), place(page, "input", 0.21, 0.33))
    found = check(page, image, "sobel-left")
    assert (found["x"], found["y"]) == (int(0.21 * WIDTH), int(0.33 * HEIGHT))
    page.touch(place(page, "output", 0.71, 0.93))
    assert state(page)["x"] == int(0.71 * WIDTH)


def test_kernels_and_settings_compute_what_imgconv_does(page, image):
    """Kernel, weights, divisor, bias, size, border, fill, padding, stride, dilation, levels."""
    for name in ("emboss", "box-3", "edge-corner", "motion-vertical", "laplacian-of-gaussian"):
        choose(page, name)
        check(page, image, name)
        assert page.run("element('name').textContent") == name
    choose(page, "sobel-left")
    page.mouse(*place(page, "input", 0.01, 0.01))
    put(page, "0,1", "-7")
    weights = [[1, -7, -1], [2, 0, -2], [1, 0, -1]]
    put(page, "divisor", "-3")
    put(page, "bias", "128")
    kernel = imgconv.Kernel(weights, divisor=-3, bias=128)
    check(page, image, kernel)
    assert "edited" in page.run("element('name').textContent")
    for levels in ("abs", "offset", "stretch"):
        put(page, "levels", levels)
        check(page, image, kernel, levels)
    for border in ("constant", "reflect", "symmetric", "wrap"):
        put(page, "border", border)
        if border == "constant":
            put(page, "fill", "77")
        check(page, image, kernel, "stretch", border=border, fill=77)
    put(page, "stride-x", "3")
    put(page, "stride-y", "2")
    options = {"border": "wrap", "stride": (2, 3), "fill": 77}
    check(page, image, kernel, "stretch", **options)
    put(page, "dilation-y", "4")
    check(page, image, kernel, "stretch", **options, dilation=(4, 1))
    for padding in ("valid", "5", "2,40", "0,1,2,3"):
        put(page, "padding", padding)
        amounts = padding if padding == "valid" else tuple(map(int, padding.split(",")))
        amounts = amounts[0] if len(amounts) == 1 else amounts
        check(page, image, kernel, "stretch", **options, dilation=(4, 1), padding=amounts)
    put(page, "kernel-columns", "5")
    kernel = imgconv.Kernel([[0, *row, 0] for row in weights], divisor=-3, bias=128)
    check(page, image, kernel, "stretch", **options, dilation=(4, 1), padding=(0, 1, 2, 3))


def test_the_command_shown_makes_the_same_picture(page, run, tmp_path):
    """What the page calls the same from the command line is."""
    import shlex

    put(page, "levels", "offset")
    put(page, "border", "reflect")
    put(page, "stride-x", "2")
    put(page, "1,1", "5")
    words = shlex.split(page.run("element('command').textContent"))
    assert words[:3] == ["imgconv", "apply", "in.png"]
    assert run("apply", tmp_path / "in.png", *words[3:], "-o", tmp_path / "out.png").code == 0
    out = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(state(page)["pixels"][:, :, :3], out)


def test_what_does_not_fit_is_said(page, image):
    """The page keeps what it showed, says why, and goes on when it fits again."""
    put(page, "dilation-y", "20")
    put(page, "padding", "valid")
    assert "No output pixel" in state(page)["problem"]
    put(page, "dilation-y", "2")
    put(page, "padding", "0")
    check(page, image, "sobel-left", padding=0, dilation=(2, 1))
    put(page, "stride-x", "0")
    put(page, "0,0", "1/3")
    check(page, image, "sobel-left", padding=0, dilation=(2, 1))


LEVELS = ["clip", "offset", "stretch"]


@pytest.mark.parametrize(
    ("kernel", "tolerance", "levels"),
    [
        ("gaussian(sigma=1)", 1, "clip"),
        ("0.1,0.2;-0.3,0.75/0.3+0.5", 1, "offset"),
        ("4503599627370496,-4503599627370495;3,9007199254740991/4503599627370495", 0, "stretch"),
        ("1,2;3,4/2+-4503599627370496", 0, "offset"),
    ],
)
def test_large_and_real_weights(browser, run, tmp_path, kernel, tolerance, levels):
    """Whole weights are exact up to 2**53, on a picture smaller than the window; reals within 1.

    With the levels that the page begins with, and with all others.
    """
    image = np.array([[7, 255, 0], [128, 3, 99]], np.uint8)
    Image.fromarray(image).save(tmp_path / "in.png")
    out = tmp_path / "page.html"
    options = ("--padding", "4", "--border", "reflect", "--levels", levels)
    assert run("explain", tmp_path / "in.png", "-k", kernel, "--html", out, *options).code == 0
    browser.open(out)
    loaded = imgconv.load_kernel(kernel)
    exact = reference.respond(
        image.tolist(), loaded.weights, divisor=loaded.divisor, bias=loaded.bias, padding=4,
        border="reflect",
    )  # fmt: skip
    for each in sorted(LEVELS, key=levels.__ne__):  # the first is there
        if each != levels:
            put(browser, "levels", each)
        found = state(browser)["pixels"][:, :, 0].astype(int)
        [wanted] = reference.pixels([exact], each, 255)
        assert np.abs(found - np.array(wanted, int)).max() <= tolerance
    assert browser.complaints == []


def test_stepping_through(page, image):
    """Step by step, then by itself; the output is shown as far as the window has come."""
    page.run("element('input').focus()")
    page.press("Home")
    at = state(page)
    for step, x in (("next", 1), ("next", 2), ("back", 1)):
        page.run(f"element('{step}').click()")
        found = state(page)
        assert (found["x"], found["y"]) == (x, at["y"])
        alpha = found["pixels"][:, :, 3].ravel()
        reach = found["y"] * WIDTH + x + 1
        assert set(alpha[:reach]) == {255}
        assert max(alpha[reach:]) < 255
    page.run("element('play').click()")
    until = time.monotonic() + 10
    while state(page)["x"] < 3 and time.monotonic() < until:
        time.sleep(0.05)
    assert state(page)["x"] >= 3
    assert page.run("element('play').getAttribute('aria-label')") == "Pause"
    page.run("element('play').click()")
    page.mouse(*place(page, "output", 0.5, 0.5))
    check(page, image, "sobel-left")
    page.prefer(calm=True)
    until = time.monotonic() + 10
    while "2 a second" not in page.run("element('pace').textContent"):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_screen_reader_is_told_once(page):
    """Of the pixel, when the window rests; meanwhile nothing."""
    page.run("""
        window.told = [];
        new MutationObserver(() => told.push(element("status").textContent))
            .observe(element("status"), { childList: true });
    """)
    for i in range(10):
        page.mouse(*place(page, "input", 0.1 + i / 20, 0.5))
    until = time.monotonic() + 10
    while not page.run("told.length") and time.monotonic() < until:
        time.sleep(0.1)
    [told] = page.run("told")
    found = state(page)
    assert told.startswith(f"Column {found['x']}, row {found['y']}: red {found['channels'][0][3]}")


def test_looks(browser, run, tmp_path):
    """No scrolling sideways, light and dark by the system and by the switch.

    The page is opened in either, and follows. IMGCONV_SCREENSHOTS names the folder that keeps
    screenshots of it, if any is wanted.
    """
    folder = os.environ.get("IMGCONV_SCREENSHOTS")
    out = tmp_path / "page.html"
    scene = ROOT / "samples" / "scene.jpg"
    assert run("explain", scene, "-k", "sobel-left", "--html", out, "--at", "560,100").code == 0
    dark = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for width, height, *schemes in ((1280, 800, "light", "dark"), (390, 844, "dark", "light")):
        browser.prefer(schemes[0])
        browser.open(out, width, height, touch=width < 500)
        for scheme in schemes:
            browser.prefer(scheme)
            assert browser.run("document.documentElement.scrollWidth") <= width
            if folder:
                browser.picture(Path(folder) / f"page-{width}x{height}-{scheme}.png")
            seen.append(browser.run(dark))
            axe(browser)
        browser.run("element('theme').click()")
        assert browser.run(dark) == seen[-2] != seen[-1]
    assert seen == [seen[0], seen[1], seen[1], seen[0]]
    choose(browser, "box-7")  # the largest of the catalogue that is full
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.complaints == []


def axe(browser) -> None:
    """Have axe-core look for what shuts people out, where IMGCONV_AXE says where it is."""
    script = os.environ.get("IMGCONV_AXE")
    if not script:
        return
    browser.run(Path(script).read_text() + "; 0")
    found = browser.run("axe.run().then((r) => r.violations)")
    told = [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in found]
    assert told == []
