"""Commands that are one process of the product each; the supervisor runs them, a cluster may run them alone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.config.commands import options
from agentmart.config.processes import lifeline, runtime_venv
from agentmart.contracts.environment import environment
from agentmart.kit import logs
from agentmart.kit.env import Environment

Command = TypeVar("Command", bound=Callable[..., Any])


def _process_options(command: Command) -> Command:
    supervisor = click.option("--supervisor", type=int, hidden=True, help="Process to end with.")
    return options.data_dir(supervisor(command))


@click.command()
@_process_options
@options.web_port
def web(data_dir: Path | None, supervisor: int | None, web_port: int | None) -> None:
    """Run the web server: portal and REST API."""
    with _prepared("web", environments.with_options(data_dir, web_port=web_port), supervisor) as (own, _):
        server = import_module("agentmart.config.processes.web")
        server.run(
            server.WebOptions(
                host=own.text("AGENTMART_HOST"),
                port=own.integer("AGENTMART_WEB_PORT"),
                workers=own.integer("AGENTMART_WEB_WORKERS"),
            )
        )


@click.command()
@_process_options
@options.gateway_port
def gateway(data_dir: Path | None, supervisor: int | None, gateway_port: int | None) -> None:
    """Run the gateway: keys, limits, calls, usage."""
    with _prepared("gateway", environments.with_options(data_dir, gateway_port=gateway_port), supervisor) as (
        own,
        _,
    ):
        import_module("agentmart.config.processes.gateway").run(
            own.text("AGENTMART_HOST"), own.integer("AGENTMART_GATEWAY_PORT")
        )


@click.command()
@_process_options
@click.option("--ready-file", type=click.Path(path_type=Path), hidden=True)
def worker(data_dir: Path | None, supervisor: int | None, ready_file: Path | None) -> None:
    """Run the worker: jobs and periodic jobs."""

    def ready() -> None:
        if ready_file is not None:
            ready_file.touch()

    with _prepared("worker", environments.with_options(data_dir), supervisor):
        import_module("agentmart.config.processes.worker").run(ready)


@click.command()
@_process_options
def runtime(data_dir: Path | None, supervisor: int | None) -> None:
    """Run the flow runtime; makes its virtual environment where missing (about 600 MB)."""
    with _prepared("runtime", environments.with_options(data_dir), supervisor) as (own, folder):
        python = runtime_venv.make(own.path("AGENTMART_RUNTIME_VENV"), _say)
        import_module("agentmart.config.processes.runtime").run(own, folder, python)


@click.command("dev-model")
@_process_options
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), help="Port (AGENTMART_DEV_MODEL_PORT, default 8002).")
def dev_model(data_dir: Path | None, supervisor: int | None, host: str, port: int | None) -> None:
    """Run the development model: OpenAI-compatible, deterministic text, real token counts, no real model."""
    with _prepared("dev-model", environments.with_options(data_dir), supervisor) as (own, _):
        import_module("agentmart.devtools.dev_model").serve(
            host, port or own.integer("AGENTMART_DEV_MODEL_PORT")
        )


@contextmanager
def _prepared(name: str, settings: Environment, supervisor: int | None) -> Iterator[tuple[Environment, Path]]:
    """Yield the process's own settings and data folder, after reducing its environment to what it needs.

    A process that runs alone on the embedded server keeps that server up while it runs.
    """
    folder = environments.data_dir_of(settings)
    if supervisor is not None:
        lifeline.follow_parent(supervisor, folder / "run")
    signal.signal(signal.SIGTERM, _end)
    logs.configure(name, settings.text("AGENTMART_LOG_LEVEL"))
    if environments.needs_our_database(name, settings):
        with database.running(settings, folder) as urls:
            environments.replace(environments.for_process(name, settings, folder, urls))
            yield environment(), folder
    else:
        environments.replace(environments.for_process(name, settings, folder, None))
        yield environment(), folder


def _end(number: int, frame: object) -> None:
    """End by an exception, so that what is open gets closed; servers replace this handler by their own."""
    sys.exit(0)


def _say(line: str) -> None:
    click.echo(line, err=True)
