"""`agentmart serve`: the whole product, kept running."""

from __future__ import annotations

import signal
import time
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
        click.echo("stopping…")
    finally:
        product.stop()
        if tail:
            tail.pump()
    click.echo("stopped")


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
