"""What a caller may choose of a translation: one object, a keyword and an option for each field."""

from __future__ import annotations

import inspect

import attrs
import click
import pytest
from click.testing import CliRunner

import vpccni_nft
from vpccni_nft.cli.commands import cli
from vpccni_nft.core.diagnostics import APPROXIMATIONS
from vpccni_nft.core.span import Source
from vpccni_nft.core.values import Family
from vpccni_nft.lowering import CounterMode, TranslateOptions

FIELDS = [field.name for field in attrs.fields(TranslateOptions)]


def option(name: str) -> click.Option:
    """The option of the command whose value is of that name."""
    command = cli.commands["translate"]
    (found,) = (one for one in command.params if one.name == name)
    assert isinstance(found, click.Option)
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_every_choice_is_an_option_of_the_command(name: str) -> None:
    printed = CliRunner().invoke(cli, ["translate", "--help"]).output
    assert option(name).opts[0] in printed


@pytest.mark.parametrize("name", FIELDS)
def test_every_choice_is_a_keyword_of_translate(name: str) -> None:
    keyword = inspect.signature(vpccni_nft.translate).parameters[name]
    assert keyword.kind is inspect.Parameter.KEYWORD_ONLY
    assert f"``{name}``" in (vpccni_nft.translate.__doc__ or "")


def test_the_three_have_the_same_defaults() -> None:
    parameters = inspect.signature(vpccni_nft.translate).parameters
    assert TranslateOptions.of() == TranslateOptions()
    assert TranslateOptions.of(**{name: parameters[name].default for name in FIELDS}) == (
        TranslateOptions()
    )
    given = cli.commands["translate"].make_context("translate", [], **cli.context_settings).params
    assert TranslateOptions.of(**{name: given[name] for name in FIELDS}) == TranslateOptions()


def test_names_and_texts_become_values() -> None:
    options = TranslateOptions.of(
        counters="zero",
        allow=["T101"],
        optimize=True,
        family="ip6",
        ipset_save="create one hash:ip\n",
        target="nft=1.0.6",
    )
    assert options.counters is CounterMode.ZERO
    assert options.allow == {APPROXIMATIONS["T101"]}
    assert options.family is Family.IP6
    assert isinstance(options.ipset_save, Source)
    assert options.target == (1, 0, 6)


@pytest.mark.parametrize(
    "wrong",
    [{"counters": "all"}, {"allow": ["P001"]}, {"target": "1.0.6"}, {"target": "nft=0.9.8"}],
    ids=str,
)
def test_a_value_that_is_none_of_them_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        vpccni_nft.translate("*raw\nCOMMIT\n", **wrong)  # type: ignore[arg-type]
