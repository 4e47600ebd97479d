"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database, secrets and logs (AGENTMART_DATA_DIR, default .agentmart).",
)
web_port = click.option(
    "--web-port", type=click.IntRange(1, 65535), help="Port of the portal and REST API (8000)."
)
gateway_port = click.option(
    "--gateway-port", type=click.IntRange(1, 65535), help="Port of the gateway (8001)."
)
