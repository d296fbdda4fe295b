"""`guard check --help`: made by click, from the table of the parser that click takes no part in."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points

import click
from command_line import Command


def check_command() -> click.Command:
    (entry,) = entry_points(group="console_scripts", name="guard")
    entry.load()
    command = sys.modules["guardrails.cli"].__dict__
    assert command

    found: click.Command = import_module("guardrails.cli.check_help").command
    return found


def test_the_help_of_check_is_that_of_its_parser() -> None:

    options = import_module("guardrails.cli.check_options").OPTIONS
    shown = [option for option in check_command().params if isinstance(option, click.Option)]
    assert [option.opts for option in shown] == [[f"--{name}"] for name in options]


def test_check_shows_help(guard: Command) -> None:
    result = guard("check", "--help")
    assert result.code == 0
    assert "--principal JSON" in result.out


def test_the_command_of_the_help_decides_too(guard: Command) -> None:
    from click.testing import CliRunner

    result = CliRunner().invoke(check_command(), ["p.guard", "--call", "stop"], standalone_mode=False)
    assert result.return_value == 30
