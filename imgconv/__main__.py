"""The program `imgconv`, also `python -m imgconv`: signals first, then the command line."""

from __future__ import annotations

import os
import sys

NO_ROOM = b"imgconv: not enough memory to begin; raise the limit (ulimit -v)\n"


def run() -> None:
    """Run as a program; leave at once, since taking the interpreter down takes 20 ms or more."""
    code = 2
    try:
        code = _run()
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:
        code = _failed(error)
    finally:
        os._exit(code)


def _run() -> int:
    """Load the program, and do what the command line says."""
    import gc
    import signal

    gc.set_threshold(50_000)  # what is loaded stays, and was looked through for a tenth of a start

    heeded = [n for n in _signals() if signal.getsignal(n) != signal.SIG_IGN]  # as nohup wants it
    for number in heeded:
        signal.signal(number, lambda *_: os._exit(130))  # there is nothing to clean up yet
    _fill_streams()
    _keep_stderr()
    # Without threads, from which nothing here gains, NumPy's libraries load in half the time, and
    # where no thread can be started: OpenBLAS would send the process an interrupt there.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.meta_path.insert(0, _Warden)
    from imgconv import cli
    from imgconv.cli.main import main

    cli.is_program = True
    sys.unraisablehook = _once_more
    for number in heeded:
        signal.signal(number, _stop)
    return main()


class _Warden:
    """Asks for room before NumPy is loaded; one of those that Python asks where modules are."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Find nothing, but raise an error where there is no room."""
        if name == "numpy":
            from imgconv.compiled.memory import ask_for

            ask_for(name)


def _failed(error: BaseException) -> int:
    """Tell on one line what is missing to load the program; else as Python tells of a fault."""
    try:
        from imgconv.errors import one_line, shortage

        found = shortage(error)
        if found or isinstance(error, (ImportError, OSError)):  # of a disk that fails
            print(f"imgconv: {found or one_line(error)}", file=sys.stderr, flush=True)
            return 2
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    except BaseException:
        stream = sys.stderr
        os.write(stream.fileno() if stream else 2, NO_ROOM)
        return 2


def _signals() -> list[int]:
    """The signals that end a run."""
    import signal

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _stop(*_: object) -> None:
    """End as Ctrl-C does, cleaning up; a second signal does not disturb that."""
    import signal

    for number in _signals():
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _once_more(fault: sys.UnraisableHookArgs) -> None:
    """Stop again where Python dropped it: in a callback, which nothing can leave by raising.

    What else is dropped is told by what it leads to, and for want of memory it may be much.
    """
    if not isinstance(fault.exc_value, KeyboardInterrupt):
        if not isinstance(fault.exc_value, MemoryError):
            sys.__unraisablehook__(fault)
        return
    import signal
    import threading

    signal.signal(signal.SIGINT, _stop)
    threading.Timer(0.01, _interrupt).start()


def _interrupt() -> None:
    """Send SIGINT to the main thread, so that it also wakes from what it waits for."""
    import signal

    if hasattr(signal, "pthread_kill"):
        import threading

        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # another system
        signal.raise_signal(signal.SIGINT)


def _fill_streams() -> None:
    """Have nothing that is opened take the place of a closed stream, to which libraries print.

    Who reads or writes what stands there instead hears of an error, as before.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            try:
                os.open(os.devnull, mode)  # takes the lowest number that is free
            except OSError:  # no more files are given, and soon this is told
                return


def _keep_stderr() -> None:
    """Keep stderr to ourselves: libtiff and others print there what is one line of ours."""
    if sys.stderr is None:  # what is printed to None would go to stdout
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        return
    try:
        ours = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no more files are given
        return
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(ours, "w", 1, encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    run()
