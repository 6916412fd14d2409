"""The program `imgconv`, also `python -m imgconv`: signals first, then the command line."""

import os
import signal
import sys
from typing import Any

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def run() -> None:
    """Run as a program; leave at once, since taking the interpreter down takes 20 ms or more."""
    heeded = [n for n in SIGNALS if signal.getsignal(n) != signal.SIG_IGN]  # as nohup wants it
    for number in heeded:
        signal.signal(number, lambda *_: os._exit(130))  # there is nothing to clean up yet
    _keep_stderr()
    from imgconv.cli.main import main

    try:
        sys.unraisablehook = _once_more
        for number in heeded:
            signal.signal(number, _stop)
        code = main()
    except KeyboardInterrupt:
        code = 130
    os._exit(code)


def _stop(*_: object) -> None:
    """End as Ctrl-C does, cleaning up; a second signal does not disturb that."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _once_more(fault: Any) -> None:
    """Stop again where Python dropped it: in a callback, which nothing can leave by raising."""
    if not isinstance(fault.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(fault)
        return
    import threading

    signal.signal(signal.SIGINT, _stop)
    threading.Timer(0.01, _interrupt).start()


def _interrupt() -> None:
    """Send SIGINT to the main thread, so that it also wakes from what it waits for."""
    if hasattr(signal, "pthread_kill"):
        import threading

        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # another system
        signal.raise_signal(signal.SIGINT)


def _keep_stderr() -> None:
    """Keep stderr to ourselves: libtiff and others print there what is one line of ours."""
    try:
        ours = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    except OSError:  # it is closed; what is printed to None would go to stdout
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        return
    sys.stderr = os.fdopen(ours, "w", 1, encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    run()
