"""`agentmart serve` and `agentmart demo`: the whole product, kept or only for one run."""

from __future__ import annotations

import signal
import sys
import time
from importlib import import_module
from pathlib import Path

import click

from agentmart.config import process_environment as environments
from agentmart.config.commands import options
from agentmart.config.log_tail import LogTail
from agentmart.config.product import Product
from agentmart.kit import logs


@click.command()
@options.data_dir
@options.web_port
@options.gateway_port
@click.option("--verbose", is_flag=True, help="Also print the log lines of all processes.")
def serve(data_dir: Path | None, web_port: int | None, gateway_port: int | None, verbose: bool) -> None:
    """Set up and run the whole product until Ctrl-C or SIGTERM."""
    settings = environments.with_options(data_dir, web_port, gateway_port)
    logs.configure("supervisor", settings.text("AGENTMART_LOG_LEVEL"))
    began = time.monotonic()
    product = Product(settings, say=lambda line: click.echo(f"[{time.monotonic() - began:6.1f} s] {line}"))
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        product.request_stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    tail = LogTail(product.data_dir / "logs", click.echo) if verbose else None
    try:
        product.start()
        if not stopping:
            _introduce(product)
        product.run(tail.pump if tail else lambda: None)
    finally:
        click.echo("stopping…")
        product.stop()
        if tail:
            tail.pump()
    click.echo("stopped")


@click.command()
@options.data_dir
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the results here."
)
def demo(data_dir: Path | None, json_path: Path | None) -> None:
    """Run the whole sale through the public APIs and check every sum; exit status 0 only if all hold."""
    held = import_module("agentmart.devtools.demo").run(data_dir=data_dir, json_path=json_path)
    sys.exit(0 if held else 1)


def _introduce(product: Product) -> None:
    click.echo(f"\nPortal and API  {environments.web_url(product.settings)}")
    click.echo(f"Gateway         {environments.gateway_url(product.settings)}")
    click.echo(f"Data            {product.data_dir}")
    if product.admin is not None:
        click.echo("\nThe first staff login, shown this once:")
        click.echo(f"  username   {product.admin.username}")
        click.echo(f"  password   {product.admin.password}")
        click.echo(f"  API token  {product.admin.token}")
    else:
        click.echo("\nA lost staff password: agentmart createstaff --username admin sets a new one.")
    click.echo("\nCtrl-C stops everything.")
