"""`agentmart demo`: the whole sale on a product of its own, torn down afterwards."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from agentmart.config import process_environment as environments
from agentmart.config.commands import options
from agentmart.config.product import Product, running_product
from agentmart.devtools import corpus
from agentmart.devtools.demo import Stage, play
from agentmart.devtools.rest import Rest, Unexpected
from agentmart.devtools.story import Story
from agentmart.kit.clock import OffsetClock
from agentmart.kit.env import BadSetting, Environment

RELEASE = "1.13.0"
PROCESSES = {"web", "gateway", "worker", "runtime"}
PLAIN_FLOW = "lfx/templates/flows/hello-world.json"


@click.command()
@options.data_dir
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the results here."
)
def demo(data_dir: Path | None, json_path: Path | None) -> None:
    """Run the whole sale through the public APIs and check every sum; exit status 0 only if all hold."""
    story = Story(say=lambda line: click.echo(line))
    results: dict[str, object] = {}
    folder = _folder(data_dir)
    try:
        with _product(folder, story) as (product, starters):
            results = play(_stage(product, starters, story.say), story)
    except Exception as error:  # noqa: BLE001 - outermost: whatever went wrong, the results say so
        expected = isinstance(error, Unexpected | OSError | BadSetting | corpus.CorpusError)
        story.check("the demo ran to its end", False, error if expected else traceback.format_exc())
        results = {"steps": story.steps, "invoice": {}, "usage": {}, "checks": story.checks, "ok": False}
    if json_path is not None:
        json_path.write_text(json.dumps(results, indent=2) + "\n")
        click.echo(f"Results: {json_path}")
    if data_dir is None and story.ok:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        click.echo(f"Data and logs are kept in {folder}")
    sys.exit(0 if story.ok else 1)


def _folder(data_dir: Path | None) -> Path:
    """Return the demo's own data folder: the given one, or a new temporary one (removed when all went well)."""
    if data_dir is not None:
        if data_dir.exists() and any(data_dir.iterdir()):
            raise BadSetting(f"{data_dir} is not empty; the demo needs a data folder of its own")
        return data_dir
    folder = Path(tempfile.mkdtemp(prefix="agentmart-demo-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the database runs as a user of its own
    return folder


@contextmanager
def _product(folder: Path, story: Story) -> Iterator[tuple[Product, Path]]:
    """Yield the running product and Langflow's exports; both are prepared in the first step."""
    usual = environments.with_options()
    with ExitStack() as running:
        with story.step("Set-up: runtime environment, embedded PostgreSQL, roles, migrations, all processes"):
            home = environments.data_dir_of(usual)
            starters = corpus.ensure_starter_projects(RELEASE, home / "corpus")
            overrides = {
                # Never a server that somebody works with: the demo closes months and sets passwords.
                "DATABASE_URL": "",
                "AGENTMART_APP_DATABASE_URL": "",
                "AGENTMART_GATEWAY_DATABASE_URL": "",
                "AGENTMART_DEV_CLOCK": "true",
                "AGENTMART_RUNTIME_VENV": str(environments.runtime_venv(usual, home)),
            }
            product = running.enter_context(running_product(folder, overrides=overrides, say=story.tell))
            _check_health(product, story)
        yield product, starters


def _check_health(product: Product, story: Story) -> None:
    """Ask web and gateway how they are; the gateway answers for database, usage store and runtime too."""
    running = set(product.processes())
    story.check("web, gateway, worker and runtime run", running >= PROCESSES, running)
    for name, url, path in (
        ("web", product.web_url, "/api/health/"),
        ("gateway", product.gateway_url, "/api/agent-gateway/health/"),
    ):
        answer = Rest(url).call("GET", path)
        story.check(f"{name} reports healthy", answer.status == 200, answer.body)


def _stage(product: Product, starters: Path, say: Callable[[str], None]) -> Stage:
    """Return what the play needs of the product."""
    if product.admin is None:
        raise BadSetting("the product was started before; the demo needs a fresh data folder")
    clock = OffsetClock(product.data_dir / "dev-clock.json")
    return Stage(
        web_url=product.web_url,
        gateway_url=product.gateway_url,
        staff_token=product.admin.token,
        starter_projects=starters,
        plain_flow=_plain_flow(product.settings, product.data_dir),
        set_clock=lambda moment: clock.set_offset(moment - datetime.now(UTC)),
        say=say,
    )


def _plain_flow(settings: Environment, data_dir: Path) -> Path:
    """Return the export without a model that Langflow's executor brings along."""
    venv = environments.runtime_venv(settings, data_dir)
    found = sorted(venv.glob(f"lib/python3*/site-packages/{PLAIN_FLOW}"))
    if not found:
        raise BadSetting(f"{PLAIN_FLOW} is missing in {venv}; remove that folder and start again")
    return found[0]
