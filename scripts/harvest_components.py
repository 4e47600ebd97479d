"""Builds the allow-list of known Langflow components from published wheels; run by a maintainer, never by the product.

    harvest_components.py [--wheels DIR [--download NAME==VERSION ...] [--out FILE]] [--lfx-python PYTHON]

Downloads with pip (`--no-deps`, wheels only) into DIR, then reads every wheel found there *inside the zip*: nothing
is installed, imported or executed. What is kept of a source is its SHA-256, the names it goes by, its module and
the releases that carried it: no code. `--lfx-python` names the interpreter of a runtime environment; its component
index tells which types that runtime can build, which is written beside the allow-list.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "src" / "agentmart" / "agents" / "flows" / "data"
WHEEL_NAME = re.compile(r"^(?P<name>[a-z0-9_]+)-(?P<version>\d[^-]*)-py3")
SOURCE_PATH = re.compile(r"^(langflow|lfx|lfx_[a-z0-9_]+)/(.*/)?components/.*\.py$")
STARTER_PATH = re.compile(
    r"^(langflow/(initial_setup/starter_projects|agentic/flows)|lfx/templates/flows)/[^/]+\.json$"
)
INDEX_PATH = "lfx/_assets/component_index.json"
ORIGINS = {"source": "m", "index": "i", "starter": "s"}  # how the allow-list writes where a source was seen
EXT_TYPE = re.compile(r"^ext:[^:]+:(?P<class>[^@]+)@.+$")

# What a source text reaches for. A hint for review and, unless overruled, a capability of the component.
HINTS: dict[str, re.Pattern[str]] = {
    "code_execution": re.compile(
        r"\bPythonREPL\b|\bPythonAstREPLTool\b|allow_dangerous_code|(?<![\w.])exec\(|(?<![\w.])eval\(|create_function\("
        r"|create_pandas_dataframe_agent|create_csv_agent|smolagents|builtins\.(exec|eval)|LocalPythonExecutor"
    ),
    "unpickling": re.compile(
        r"allow_dangerous_deserialization|\bpickle\.loads?\(|\bdill\.|joblib\.load|torch\.load"
    ),
    "subprocess": re.compile(r"\bsubprocess\b|os\.system\(|os\.popen\(|create_subprocess_|\bpty\."),
    "mcp_stdio": re.compile(r"MCPStdio|StdioServerParameters|stdio_client"),
    "sql": re.compile(r"\bsqlalchemy\b|\bSQLDatabase\b|\bsqlite3\b|\bpsycopg|\bSQLDatabaseToolkit\b"),
    "files": re.compile(
        r"BaseFileComponent|(?<![\w.])open\(|\.read_text\(|\.write_text\(|\.write_bytes\(|\.read_bytes\("
        r"|aiofiles|retrieve_file_paths|parallel_load_data|persist_dir|\bshutil\b|git\.Repo|GitLoader|FileSystemTool"
    ),
    "network": re.compile(
        r"^\s*(import|from)\s+(requests|httpx|aiohttp|urllib3?|websockets?|ftplib|smtplib|boto3|googleapiclient"
        r"|feedparser|yfinance|tavily|duckduckgo_search|youtube_transcript_api|pytube)\b"
        r"|DuckDuckGo|WebBaseLoader|RecursiveUrlLoader|SearchAPIWrapper|AsyncHtmlLoader|APIWrapper",
        re.MULTILINE,
    ),
}


@dataclass
class Source:
    """All that was seen of one source text."""

    names: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    releases: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    hints: set[str] = field(default_factory=set)


Harvest = dict[str, Source]


def main() -> int:
    """Parse arguments, download, read, write; prints what it found."""
    args = _arguments()
    if args.lfx_python:
        _write_available(args.lfx_python, args.out.parent / "available.json")
    if args.wheels is None:
        return 0
    args.wheels.mkdir(parents=True, exist_ok=True)
    for requirement in args.download:
        _download(requirement, args.wheels)
    wheels = sorted(_wheels(args.wheels), key=lambda wheel: (wheel[0], _version_key(wheel[1])))
    if not wheels:
        print(f"no wheel in {args.wheels}", file=sys.stderr)
        return 1
    harvest: Harvest = {}
    for name, version, path in wheels:
        before = len(harvest)
        _read_wheel(path, f"{name} {version}", harvest)
        print(f"{name} {version}: {len(harvest) - before} new sources", flush=True)
    releases = [f"{name} {version}" for name, version, _ in wheels]
    _write(args.out, releases, harvest)
    origins = [source.origins for source in harvest.values()]
    print(f"{len(harvest)} sources; {sum(o == {'starter'} for o in origins)} seen in starter projects only")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheels", type=Path, help="folder of wheels, kept between runs")
    parser.add_argument("--download", nargs="*", default=[], metavar="NAME==VERSION")
    parser.add_argument("--out", type=Path, default=DATA / "known.json.gz")
    parser.add_argument("--lfx-python", help="interpreter of an environment that holds lfx and its bundles")
    return parser.parse_args()


def _download(requirement: str, folder: Path) -> None:
    name, _, version = requirement.partition("==")
    if list(folder.glob(f"{name.replace('-', '_')}-{version}-py3*.whl")):
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True)


def _wheels(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in folder.glob("*.whl"):
        match = WHEEL_NAME.match(path.name)
        if match:
            yield match["name"].replace("_", "-"), match["version"], path


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _read_wheel(path: Path, release: str, harvest: Harvest) -> None:
    with zipfile.ZipFile(path) as wheel:
        for member in sorted(wheel.namelist()):
            if SOURCE_PATH.match(member):
                _read_source(wheel.read(member).decode(), member, release, harvest)
            elif member == INDEX_PATH:
                _read_index(json.loads(wheel.read(member)), release, harvest)
            elif STARTER_PATH.match(member):
                _read_starter(json.loads(wheel.read(member)), release, harvest)


def _read_source(text: str, member: str, release: str, harvest: Harvest) -> None:
    names = set(_component_names(text))
    if names:
        module = member.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        _record(harvest, text, names, {module}, release, "source")


def _read_index(index: dict[str, Any], release: str, harvest: Harvest) -> None:
    for _category, components in index["entries"]:
        for key, component in components.items():
            code = component.get("template", {}).get("code", {}).get("value")
            if code:
                module = (component.get("metadata") or {}).get("module") or ""
                names = {key, *_component_names(code)} | (
                    {module.rsplit(".", 1)[1]} if "." in module else set()
                )
                _record(harvest, code, names, {module.rpartition(".")[0]} - {""}, release, "index")


def _read_starter(flow: dict[str, Any], release: str, harvest: Harvest) -> None:
    for node in _nodes(flow["data"]["nodes"]):
        code = node["data"].get("node", {}).get("template", {}).get("code", {}).get("value")
        if code:
            module = (node["data"]["node"].get("metadata") or {}).get("module") or ""
            names = {node["data"]["type"], *_component_names(code)}
            _record(harvest, code, names, {module.rpartition(".")[0]} - {""}, release, "starter")


def _nodes(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        group = node["data"].get("node", {}).get("flow")
        if group:
            yield from _nodes(group["data"]["nodes"])


def _record(
    harvest: Harvest, text: str, names: set[str], modules: set[str], release: str, origin: str
) -> None:
    entry = harvest.setdefault(hashlib.sha256(text.encode()).hexdigest(), Source())
    if not entry.hints:
        entry.hints = {hint for hint, pattern in HINTS.items() if pattern.search(text)}
    extension = {match["class"] for name in names if (match := EXT_TYPE.match(name))}
    entry.names |= names | extension
    entry.modules |= modules
    entry.releases.add(release)
    entry.origins.add(origin)


def _component_names(text: str) -> Iterator[str]:
    """Yield class names and `name` attributes of the component classes of a source; parses, never runs it."""
    yield from _parsed_names(text)


@functools.cache
def _parsed_names(text: str) -> frozenset[str]:
    return frozenset(_names_in(ast.parse(text)))


def _names_in(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef) and _is_component(statement):
            yield statement.name
            yield from (value for key, value in _constants(statement) if key == "name" and value)


def _is_component(statement: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).rsplit(".", 1)[-1] for base in statement.bases}
    shown = any(key == "display_name" for key, _ in _constants(statement))
    return bool(bases) and (shown or any(base.endswith("Component") for base in bases))


def _constants(statement: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for line in statement.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                yield name, text


def _write(out: Path, releases: list[str], harvest: Harvest) -> None:
    """Write sorted, compact JSON in gzip without a time stamp: the same wheels give the same bytes."""
    place = {release: index for index, release in enumerate(releases)}
    modules = sorted({module for source in harvest.values() for module in source.modules})
    module_place = {module: index for index, module in enumerate(modules)}
    sources = {
        digest: [
            sorted(source.names),
            [module_place[module] for module in sorted(source.modules)],
            _ranges(sorted(place[release] for release in source.releases)),
            "".join(sorted(ORIGINS[origin] for origin in source.origins)),
            sorted(source.hints),
        ]
        for digest, source in sorted(harvest.items())
    }
    document = {"releases": releases, "modules": modules, "sources": sources}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{out.name}: {out.stat().st_size / 1024:.0f} KiB")


def _ranges(places: list[int]) -> list[int]:
    """Return [first, last, first, last …] of runs of consecutive places."""
    runs: list[int] = []
    for number in places:
        if runs and runs[-1] == number - 1:
            runs[-1] = number
        else:
            runs += [number, number]
    return runs


PROBE = """
import asyncio, importlib, importlib.metadata, json, warnings
warnings.simplefilter("ignore")
from lfx.interface.components import component_cache, get_and_cache_all_types_dict
from lfx.services.deps import get_settings_service
from lfx.utils import flow_validation
asyncio.run(get_and_cache_all_types_dict(get_settings_service()))
registry = component_cache.all_types_dict or {}
types, by_code, models = {}, {}, []
for components in registry.values():
    for key, component in components.items():
        metadata = component.get("metadata") or {}
        dotted = metadata.get("module") or ""
        if key.startswith("ext:"):  # found by importing it
            dotted += "." + metadata["component_class_name"]
        else:
            module, _, name = dotted.rpartition(".")
            try:
                getattr(importlib.import_module(module), name)
            except BaseException:
                continue
        types[key] = dotted
        if (component["template"].get("model") or {}).get("type") == "model":
            models.append(key)
        by_code[component["template"]["code"]["value"]] = key
# The same table by which a flow's type finds the installed source.
sources = flow_validation.collect_component_code_lookups(registry)
aliases = {alias: by_code[code] for alias, code in sources.items() if code in by_code and alias not in types}
names = ("lfx", "lfx-openai", "lfx-openai-compatible")
packages = {name: importlib.metadata.version(name) for name in names}
print()
answer = {"packages": packages, "types": types, "aliases": aliases, "model_types": sorted(models)}
print(json.dumps(answer | {"lfx": packages["lfx"]}))
"""


def _write_available(python: str, out: Path) -> None:
    available = _available(python)
    text = json.dumps(available, indent=0, sort_keys=True, ensure_ascii=False)
    out.write_text(text + "\n", encoding="utf-8")
    print(f"available: {len(available['types'])} types in lfx {available['lfx']}")


def _available(python: str) -> dict[str, Any]:
    """Return what a runtime environment can really import: {"lfx", "packages", "types", "aliases", "model_types"}."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LANGFLOW_CONFIG_DIR": home}
        environment |= {"DO_NOT_TRACK": "true", "LANGFLOW_DO_NOT_TRACK": "true"}
        done = subprocess.run(
            [python, "-I", "-c", PROBE], check=True, capture_output=True, text=True, env=environment
        )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    sys.exit(main())
