"""The command `agentmart`: a table of commands, each loaded only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from agentmart import __version__
from agentmart.kit.env import BadSetting

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve:serve", "Set up and run the whole product: database, web, gateway, worker, runtime."),
    "demo": ("demo:demo", "Run the whole sale through the public APIs, on a product of its own."),
    "web": ("process:web", "Run the web server: portal and REST API."),
    "gateway": ("process:gateway", "Run the gateway: keys, limits, calls, usage."),
    "worker": ("process:worker", "Run the worker: jobs and periodic jobs."),
    "runtime": ("process:runtime", "Run the flow runtime."),
    "dev-model": ("process:dev_model", "Run the development model server (no real model)."),
    "migrate": ("data:migrate", "Make database roles and apply migrations."),
    "createstaff": (
        "data:createstaff",
        "Create or reset a staff login; prints its API token as the last line.",
    ),
    "doctor": ("doctor:doctor", "Check configuration and every dependency; say how to fix what is wrong."),
    "signing-keys": ("signing:signing_keys", "Show, rotate and retire the keys that sign API keys."),
    "settings": ("data:settings", "Print the documentation of all settings (docs/settings.md)."),
    "dev-clock": ("data:dev_clock", "Show or move the development clock."),
}
"""Name → where it lives in `config.commands`, and its line in `agentmart --help`."""


class LazyGroup(click.Group):
    """Lists commands without loading them: the gateway must not load Django, nor a help page everything."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"agentmart.config.commands.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, meaning) for name, (_, meaning) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a bad setting is a message, not a traceback."""
        try:
            return super().invoke(ctx)
        except BadSetting as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="agentmart")
def main() -> None:
    """Agentmart: a self-hosted marketplace for AI agents.

    Settings come from environment variables (`agentmart settings` prints them all); options given here win.
    """


if __name__ == "__main__":
    main()
