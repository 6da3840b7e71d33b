"""The option ``--target nft=VERSION``."""

from __future__ import annotations

import re

import click

#: The oldest nft that is supported, as kube-proxy's.
FLOOR = (1, 0, 1)


class _TargetType(click.ParamType[tuple[int, ...]]):
    name = "nft=VERSION"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        found = re.fullmatch(r"nft=(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", value, re.ASCII)
        if not found:
            self.fail(f"{value!r} is not of the form nft=1.0.6", param, ctx)
        version = tuple(int(part or 0) for part in found.groups())
        if version < FLOOR:
            self.fail("the oldest nft that is supported is 1.0.1", param, ctx)
        return version


TARGET = _TargetType()
