"""The option ``--target nft=VERSION``."""

from __future__ import annotations

import click

from ..lowering.options import nft_version


class _TargetType(click.ParamType[str]):
    name = "nft=VERSION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            nft_version(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)
        return value


TARGET = _TargetType()
