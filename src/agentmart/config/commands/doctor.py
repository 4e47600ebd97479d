"""`agentmart doctor`: checks configuration and every dependency."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from agentmart.config import process_environment as environments
from agentmart.config.checks import Finding, all_findings
from agentmart.config.commands import options

_SIGNS = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}


@click.command()
@options.data_dir
@options.web_port
@options.gateway_port
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of findings.")
def doctor(data_dir: Path | None, web_port: int | None, gateway_port: int | None, as_json: bool) -> None:
    """Check configuration and every dependency; exit status 1 when something is broken."""
    findings = []
    for finding in all_findings(environments.with_options(data_dir, web_port, gateway_port)):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    broken = sum(finding.state == "broken" for finding in findings)
    if not as_json:
        click.echo(f"\n{len(findings)} checks, {broken} broken")
    sys.exit(1 if broken else 0)


def _show(finding: Finding) -> None:
    click.echo(f"{_SIGNS[finding.state]}  {finding.check:22} {finding.found}")
    if finding.fix:
        click.echo(f"{'':8}{'':22} → {finding.fix}")
