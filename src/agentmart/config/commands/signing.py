"""Commands on the keys that sign API keys. None of them shows a secret, but `export` on purpose."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from agentmart.config import process_environment as environments
from agentmart.config import signing_file
from agentmart.config.commands import options
from agentmart.contracts.signing import MIN_SECRET_BYTES, SETTINGS_KID


@click.group("signing-keys")
@options.data_dir
@click.pass_context
def signing_keys(context: click.Context, data_dir: Path | None) -> None:
    """Show, rotate and retire the keys that sign API keys, while calls go on.

    `rotate` makes a key that signs what is issued from now on; keys signed before stay good. Once none of
    those is in use any more, `retire` takes their signing key away. Running processes follow within a second.
    """
    context.obj = data_dir


@signing_keys.command("list")
@click.pass_obj
def list_keys(data_dir: Path | None) -> None:
    """Show the signing keys: name, algorithm, since when each signs."""
    path = _path(data_dir)
    content = signing_file.read(path)
    retired = content.get("settings_key_retired", False)
    click.echo(f"{SETTINGS_KID}  AGENT_KEYS_SECRET_KEY  {'retired' if retired else 'accepted'}")
    for row in content["keys"]:
        click.echo(f"{row['kid']}  {row['algorithm']}  signs from {row['signs_from']}")


@signing_keys.command()
@click.pass_obj
@click.option("--algorithm", type=click.Choice(list(MIN_SECRET_BYTES)), default="HS256", show_default=True)
@click.option(
    "--delay",
    type=click.IntRange(0, 7 * 24 * 3600),
    default=0,
    show_default=True,
    help="Seconds until it signs: the time the file needs to reach every machine.",
)
def rotate(data_dir: Path | None, algorithm: str, delay: int) -> None:
    """Make a new signing key; prints its name."""
    now = datetime.now(UTC)
    path = _path(data_dir)
    click.echo(signing_file.add(path, algorithm, signs_from=now + timedelta(seconds=delay), now=now))


@signing_keys.command()
@click.pass_obj
@click.argument("kid")
def retire(data_dir: Path | None, kid: str) -> None:
    """Take a signing key away (`settings`: AGENT_KEYS_SECRET_KEY): all that it signed is refused from now on."""
    signing_file.retire(_path(data_dir), kid, now=datetime.now(UTC))
    click.echo(f"{kid} is retired.", err=True)


@signing_keys.command()
@click.pass_obj
def export(data_dir: Path | None) -> None:
    """Print the file for machines that only run gateways: of EdDSA keys the public half, HS… ones as they are."""
    click.echo(json.dumps(signing_file.public(_path(data_dir)), indent=1))


def _path(data_dir: Path | None) -> Path:
    settings = environments.with_options(data_dir)
    return environments.signing_keys_file(settings, environments.data_dir_of(settings))
