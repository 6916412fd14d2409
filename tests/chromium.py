"""A headless Chromium, driven by its DevTools protocol over a pair of sockets."""

import base64
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 30.0
KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35,
    "Tab": 9, "Escape": 27, " ": 32,
}  # fmt: skip


def program() -> str | None:
    """Return where Chromium is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Chromium:
    """One browser with one tab; what the tab complains of and asks the network for is kept."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._ours, theirs = socket.socketpair()
        # The protocol wants file descriptors 3 and 4; one socket is both.
        fd = theirs.fileno()
        found = program()
        assert found, "no chromium"
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{fd} 4>&{fd}', "bash", found, *FLAGS,
             f"--user-data-dir={self._folder.name}", "about:blank"],
            pass_fds=[fd], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        self._left, self._count = b"", 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        tabs = self._call("Target.getTargets")["targetInfos"]
        tab = next(t["targetId"] for t in tabs if t["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=tab, flatten=True)
        self._session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self._call("Browser.close")
        self._ours.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the tab and return its result."""
        return self._call(method, session=self._session, **parameters)

    def _call(self, method: str, *, session: str | None = None, **parameters: Any) -> Any:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._ours.sendall(json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self._receive(until)
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
        raise AssertionError(f"{method}: no answer within {PATIENCE:g} s")

    def _receive(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._ours], [], [], max(0, until - time.monotonic()))
            part = self._ours.recv(1 << 20) if ready else b""
            assert part, "Chromium has gone, or says nothing"
            self._left += part
        text, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, about: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(about["args"]))
        elif event == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", details).get("description", "?"))
        elif event == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(
        self, page: Path, width: int = 1280, height: int = 800, *, touch: bool = False
    ) -> None:
        """Show a page in a window of a size, and wait until it stands."""
        self.size(width, height, touch=touch)
        self.call("Page.navigate", url=page.as_uri())
        until = time.monotonic() + PATIENCE
        wanted = json.dumps(page.as_uri())
        while not self.run(f"document.readyState === 'complete' && location.href === {wanted}"):
            assert time.monotonic() < until, "the page does not load"
            time.sleep(0.02)

    def size(self, width: int, height: int, *, touch: bool = False) -> None:
        """Give the window a size, as of a phone where it is touched."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=2 if touch else 1, mobile=touch,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def prefer(self, scheme: str = "light", *, calm: bool = False) -> None:
        """Have the system ask for light or dark, and for less motion."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """Return what an expression of JavaScript is worth, once it is settled."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def mouse(self, x: float, y: float, kind: str = "mouseMoved") -> None:
        """Move the pointer, or press and release its button there."""
        for event in ("mousePressed", "mouseReleased") if kind == "click" else (kind,):
            pressed = {"button": "left", "clickCount": 1} if kind == "click" else {}
            self.call("Input.dispatchMouseEvent", type=event, x=x, y=y, **pressed)

    def touch(self, *points: tuple[float, float]) -> None:
        """Put a finger down, move it over the points and lift it."""
        for i, (x, y) in enumerate(points):
            kind = "touchMove" if i else "touchStart"
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key that writes nothing."""
        for event in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=event, key=key, code=key,
                windowsVirtualKeyCode=KEYS[key], modifiers=8 if shift else 0,
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Write a text into what has the focus, in place of what is selected."""
        self.call("Input.insertText", text=text)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a screenshot, of the window or of the whole page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))


if __name__ == "__main__":  # python tests/chromium.py PAGE FOLDER: the screenshots alone
    import sys

    page, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    with Chromium() as browser:
        for scheme in ("light", "dark"):
            for width, height in ((1280, 800), (390, 844)):
                browser.prefer(scheme)
                browser.open(page, width, height, touch=width < 500)
                browser.picture(folder / f"page-{width}x{height}-{scheme}.png")
                browser.picture(folder / f"whole-{width}-{scheme}.png", whole=True)
        print(browser.complaints, [r for r in browser.requests if not r.startswith("file:")])
        os._exit(0)
