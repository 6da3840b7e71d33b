"""Signs of life on a terminal, where the work takes longer than a blink."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .screen import is_dumb, is_terminal, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn

    from ...replay.differential import Tally


def is_watched() -> bool:
    """Whether standard error is a terminal that can write a line again."""
    return is_terminal(err=True) and not is_dumb()


@contextmanager
def of_translation(lines: int) -> Iterator[None]:
    """While so many lines are translated."""
    if lines < 5000 or not is_watched():
        yield
        return
    with watched().status(f"translating {lines:,} lines"):
        yield


@contextmanager
def of_proof() -> Iterator[Callable[[str], None]]:
    """Takes the name of what is proved at the moment."""
    if not is_watched():
        yield lambda _: None
        return
    with watched().status("proving") as status:
        yield lambda what: status.update(f"proving {what}")


def of_plan() -> Callable[[str], None]:
    """Takes the name of what is proved at the moment, and keeps it on the screen."""
    if not is_watched():
        return lambda _: None
    return lambda what: click.echo(f"proving {what}", err=True)


@contextmanager
def of_fleet(nodes: int) -> Iterator[Callable[[str], None]]:
    """Takes what there is to say of each node, which may be nothing."""
    if not is_watched():
        yield lambda line: click.echo(line, err=True) if line else None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.text import Text

    columns: tuple[ProgressColumn, ...] = (
        TextColumn("examining"), BarColumn(), MofNCompleteColumn()
    )  # fmt: skip
    with Progress(*columns, console=watched(), transient=True) as bar:
        task = bar.add_task("", total=nodes)

        def advance(line: str) -> None:
            if line:
                bar.console.print(Text.from_ansi(line), soft_wrap=True)
            bar.advance(task)

        yield advance


@contextmanager
def of_replay(packets: int, *, quiet: bool) -> Iterator[Callable[[Tally], None] | None]:
    """A bar without a thread of its own, which would take the signals that are held back."""
    if quiet or not is_watched():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns: tuple[ProgressColumn, ...] = (
        TextColumn("replaying"), BarColumn(), TextColumn("{task.completed:,.0f} packets"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=watched(), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=packets)

        def show_progress(tally: Tally) -> None:
            if tally.packets != bar.tasks[0].completed:
                bar.update(task, completed=tally.packets, refresh=True)

        yield show_progress
