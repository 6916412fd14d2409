"""Outcomes to what people and programs see: messages, progress, NDJSON, a summary, an exit code."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from imgconv.errors import printable
from imgconv.pictures.stdout import to_terminal
from imgconv.runs.job import FAILED, OK, SKIPPED, Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0  # seconds before a progress bar is worth the time that Rich takes to import
OFTEN = 0.1  # seconds between two drawings of it
MUCH = 0.1  # the share of clipped samples that is worth a hint
# What keeps samples that were clipped below and above, by the levels that clipped them.
KEEPING = {
    "clip": ("--levels abs or offset", "--levels stretch or a smaller --scale"),
    "abs": ("", "--levels stretch or a smaller --scale"),
    "offset": ("--levels stretch", "--levels stretch"),
}


class Report:
    """Tells of each outcome as it comes, and adds up; used as a context, it ends with a summary."""

    def __init__(
        self,
        *,
        quiet: bool,
        total: int = 1,
        kernel: str = "",
        levels: str = "",
        as_json: bool = False,
        dry: bool = False,
        draws: bool = False,
    ) -> None:
        self._quiet, self._total, self._kernel, self._levels = quiet, total, kernel, levels
        self._as_json, self._dry, self._draws = as_json, dry, draws
        self._counts = {OK: 0, SKIPPED: 0, FAILED: 0}
        self._samples = self._low = self._high = 0
        self._begin, self._drawn = time.monotonic(), 0.0
        self._bar: Progress | None = None
        self._line: TaskID | None = None

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if kind is None:
            self._hint_at_clipping()
            self._sum_up()

    def add(self, outcome: Outcome) -> None:
        """Tell of one outcome: errors always, notes unless quiet."""
        self._counts[outcome.status] += 1
        self._samples += outcome.samples
        self._low += outcome.clipped[0]
        self._high += outcome.clipped[1]
        for note in outcome.notes:
            self.note(f"{outcome.name}: {note}")
        if outcome.error:
            self._say(f"{outcome.name}: {outcome.error}")
        if self._as_json:
            print(_json(outcome, self._kernel), flush=True)
        elif self._dry and outcome.status != FAILED:
            skipped = " (exists, skipped)" * (outcome.status == SKIPPED)
            print(printable(f"{outcome.name} -> {outcome.output}{skipped}"))
        elif outcome.preview:
            print(printable(outcome.output), outcome.preview, sep="\n", flush=True)
        self.advance()

    def note(self, text: str) -> None:
        """Tell what is worth knowing but no error."""
        if not self._quiet:
            self._say(f"note: {text}")

    @property
    def exit_code(self) -> int:
        """0 when every input was done or skipped, 1 when some failed."""
        return 1 if self._counts[FAILED] else 0

    def _say(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(
                f"imgconv: {printable(text)}", markup=False, highlight=False, soft_wrap=True
            )
        else:
            say(text)

    def advance(self, part: float = 0) -> None:
        """Move the progress bar, which appears on a terminal when the work takes long.

        `part` is how much of an input is done, of one that is done in pieces. Pictures that are
        drawn on the terminal tell of progress as well, and a bar would run into them.
        """
        seconds = time.monotonic() - self._begin
        silent = self._quiet or self._draws or (self._total <= 1 and not part)
        if self._bar is None and not silent and seconds > PATIENCE:
            self._bar = _bar(several=self._total > 1)
            if self._bar:
                self._line = self._bar.add_task("", total=self._total, rate="")
                self._bar.start()
        if self._bar and self._line is not None:
            done = sum(self._counts.values()) + part
            rate = f"{done / seconds:.1f}/s" if self._total > 1 else ""
            due = seconds - self._drawn > OFTEN
            self._drawn = seconds if due else self._drawn
            self._bar.update(self._line, completed=done, rate=rate, refresh=due)

    def _hint_at_clipping(self) -> None:
        low, high = KEEPING.get(self._levels, ("", ""))
        for count, where, remedy in ((self._low, "0", low), (self._high, "the top", high)):
            if remedy and count > MUCH * self._samples:
                share = f"{100 * count / self._samples:.0f} %"
                self.note(f"{share} of the samples were clipped at {where}; {remedy} keeps them")
                return

    def _sum_up(self) -> None:
        if self._quiet or self._total <= 1:
            return
        done, skipped, failed = (self._counts[s] for s in (OK, SKIPPED, FAILED))
        seconds = time.monotonic() - self._begin
        parts = [f"{done} to be written" if self._dry else f"{done} written"]
        parts += [f"{skipped} skipped"] * bool(skipped) + [f"{failed} failed"] * bool(failed)
        rate = f", {seconds:.1f} s, {done / seconds:.1f} a second" if done and not self._dry else ""
        say(f"{self._total} inputs: {', '.join(parts)}{rate}")


def _bar(*, several: bool) -> Progress | None:
    """A progress bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    rate = TextColumn("{task.fields[rate]}")
    done = MofNCompleteColumn() if several else TaskProgressColumn()
    columns = (BarColumn(), done, rate, TimeRemainingColumn())
    # Rich would send to the bar's stream what is printed, JSON on its way to a file as well; and
    # refresh it from a thread, beside which no process can be forked.
    return Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=to_terminal(),
        auto_refresh=False,
    )  # fmt: skip


def _json(outcome: Outcome, kernel: str) -> str:
    import json  # 5 ms that a plain command does without

    low, high = outcome.clipped
    return json.dumps({
        "input": outcome.name, "output": outcome.output, "width": outcome.width,
        "height": outcome.height, "kernel": kernel, "clipped_low": low, "clipped_high": high,
        "seconds": round(outcome.seconds, 6), "status": outcome.status,
        "error": outcome.error or None,
    })  # fmt: skip


def say(text: str) -> None:
    """Print one line on stderr; one that cannot be printed is no reason to stop."""
    with contextlib.suppress(OSError):
        print(f"imgconv: {printable(text)}", file=sys.stderr, flush=True)
