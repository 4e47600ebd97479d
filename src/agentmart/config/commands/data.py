"""Commands on the data: migrations, staff logins, settings, the development clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import click
import django
from django.core.management import call_command

from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.config.commands import clock, options
from agentmart.config.settings_page import markdown
from agentmart.contracts.environment import SETTINGS
from agentmart.kit import logs
from agentmart.kit.clock import OffsetClock
from agentmart.kit.env import Environment
from agentmart.kit.errors import DomainError


@click.command()
@options.data_dir
def migrate(data_dir: Path | None) -> None:
    """Make the database, its roles and rights, and apply all migrations (safe to repeat)."""
    configured = environments.with_options(data_dir)
    logs.configure("migrate", configured.text("AGENTMART_LOG_LEVEL"))
    folder = environments.data_dir_of(configured)
    with database.running(configured, folder) as urls:
        database.prepare_database(urls)
        environments.replace(environments.for_migrations(configured, folder, urls))
        django.setup()
        call_command("migrate", interactive=False, verbosity=1)
        _install(configured)


@click.command()
@options.data_dir
@click.option("--username", required=True)
@click.option("--password", help="At least ten characters; asked for when left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--email", default="")
@click.option("--only-first", is_flag=True, hidden=True, help="Do nothing where a staff login exists.")
def createstaff(
    data_dir: Path | None,
    username: str,
    password: str | None,
    password_stdin: bool,
    email: str,
    only_first: bool,
) -> None:
    """Create a staff login, or give an existing one a new password and token; prints the API token last."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with _django(data_dir):
        if only_first and _staff_exists():
            return
        services = import_module("agentmart.identity.services")
        now = import_module("agentmart.infra.clock").now()
        try:
            user, token = services.create_staff(username=username, password=password, email=email, now=now)
        except DomainError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"Staff login {user.username} is ready. Its API token, shown this once:", err=True)
    click.echo(token)


@click.command()
@options.data_dir
def settings(data_dir: Path | None) -> None:
    """Print the documentation of all settings, as docs/settings.md holds it."""
    click.echo(markdown(SETTINGS), nl=False)


@click.command("dev-clock")
@options.data_dir
@click.option("--to", "target", help="Move to this moment (RFC 3339, such as 2026-01-31T23:59:00Z).")
@click.option("--advance", help="Move forward by so much: 30d, 12h, 45m, 10s, or several joined (1d12h).")
@click.option("--reset", is_flag=True, help="Return to the machine's time.")
def dev_clock(data_dir: Path | None, target: str | None, advance: str | None, reset: bool) -> None:
    """Show or move the clock that every process honours; only with AGENTMART_DEV_CLOCK=true."""
    configured = environments.with_options(data_dir)
    if not configured.flag("AGENTMART_DEV_CLOCK"):
        raise click.ClickException(
            "the development clock is off; set AGENTMART_DEV_CLOCK=true for every process"
        )
    if sum([target is not None, advance is not None, reset]) > 1:
        raise click.UsageError("give one of --to, --advance and --reset")
    moving = OffsetClock(environments.data_dir_of(configured) / "dev-clock.json")
    try:
        if target is not None:
            moving.set_offset(clock.moment(target) - datetime.now(UTC))
        elif advance is not None:
            moving.set_offset(moving.offset() + clock.duration(advance))
        elif reset:
            moving.set_offset(timedelta())
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{moving.now().isoformat(timespec='seconds')} (offset {moving.offset()})")


def _install(settings: Environment) -> None:
    """Make what every installation has: the operator's own customer, room for the months ahead."""
    now = import_module("agentmart.infra.clock").now()
    import_module("agentmart.identity.services").install(
        now=now,
        operator_name=settings.text("AGENTMART_OPERATOR_NAME"),
        currency=settings.text("AGENTMART_CURRENCY"),
    )
    import_module("agentmart.metering.services").ensure_partitions(now=now)


@contextmanager
def _django(data_dir: Path | None) -> Iterator[None]:
    """Set Django up as the application's role for the block."""
    configured = environments.with_options(data_dir)
    logs.configure("agentmart", "WARNING")
    folder = environments.data_dir_of(configured)
    with database.running(configured, folder) as urls:
        environments.replace(environments.for_process("web", configured, folder, urls))
        django.setup()
        yield
        import_module("django.db").connections.close_all()


def _staff_exists() -> bool:
    user_model = import_module("django.contrib.auth").get_user_model()
    with import_module("agentmart.infra.tenancy").as_system("createstaff"):
        return bool(user_model.objects.filter(is_staff=True).exists())
