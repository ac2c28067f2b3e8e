"""The command line, `batchline`: one file a command, imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any

import click

from app.core.errors import BatchlineError
from batchline.client.errors import ClientError

# Name and what it does; the module of the same name defines a click command of the same name.
# Said here, so that `batchline --help` imports none of them.
COMMANDS = {
    "serve": "Run everything: servers, API, workers, beat and Flower.",
    "migrate": "Bring the database's schema up to date.",
    "clients": "Create, list, rotate and revoke API clients.",
    "keys": "Create, list and revoke keys of a client.",
    "operations": "List the operations that batches can ask for; open and close their breakers.",
    "check": "Look at modules of handlers, and at files of items for them.",
    "submit": "Submit a file of items as a batch.",
    "status": "Show batches and how far they are.",
    "items": "List the items of a batch.",
    "watch": "Show the progress of batches until they have ended.",
    "events": "Print what happens to a batch, as it happens.",
    "results": "Download what became of a batch's items.",
    "failures": "List what went wrong with items of a batch, by cause.",
    "edit": "Give an item of a batch another input.",
    "retry": "Run the items of a batch that failed again.",
    "approve": "Let batches run that await approval.",
    "reject": "End batches that await approval.",
    "pause": "Let no more items of batches begin.",
    "resume": "Let paused batches go on.",
    "cancel": "Cancel batches.",
    "webhooks": "Be told when batches end.",
    "audit": "List who did what.",
    "doctor": "Say what is wrong with this installation, and what helps.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is used; errors end in one clean line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, none of which is imported for it."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, whose module is imported now; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"app.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of `args`. One whose module cannot be imported is a ClickException."""
        try:
            return super().resolve_command(ctx, args)
        except ImportError as error:
            raise click.ClickException(f"{args[0]}: {error}") from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An error raised on purpose is shown as its sentence alone."""
        try:
            return super().invoke(ctx)
        except (BatchlineError, ClientError) as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="batchline")
def main() -> None:
    """Batchline: thousands of items in one request, each processed exactly once.

    \b
    Exit status:
      0  it went well
      1  it did not; standard error says why in a line
      2  the command line is wrong
      3  a batch that was waited for ended PARTIAL
      4  a batch that was waited for ended FAILED or CANCELED
    """  # noqa: D301 (click's mark for a paragraph that is not wrapped)
