"""Plain secrets in an export: emptied where they belong, refused where they do not, never repeated."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from agentmart.agents.flows.nodes import CODE, FlowGraph, FlowNode
from agentmart.agents.flows.parse import shown, strings
from agentmart.agents.flows.report import Problem

SECRET_INPUTS = frozenset({"SecretStrInput", "MultilineSecretInput", "AuthInput"})
SECRET_NAME = re.compile(
    r"(^|[_\-. ])((api|access|private|secret|subscription|account|encryption|signing|auth|app)[_\- ]?key(_id)?"
    r"|apikey|token|secret|passwd|password|pwd|credentials?|authorization|bearer|connection_string|dsn|cookie)$",
    re.IGNORECASE,
)
VARIABLE_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_ .\-]{0,99}$")
UPPER_NAME = re.compile(r"^[A-Z][A-Z0-9_]*$")
PLACEHOLDER = re.compile(
    r"your|example|placeholder|changeme|dummy|xxxx|\.\.\.|<|>|\*\*\*|\{|\$", re.IGNORECASE
)

# (what it is, how every hit begins, the shape). Looking for the plain beginnings first makes a clean text cheap.
KEY_SHAPES: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (kind, start, re.compile(r"(?<![A-Za-z0-9])" + re.escape(start) + rest))
    for kind, starts, rest in (
        ("an API key", "sk-", r"[A-Za-z0-9_\-]{20,}"),
        ("a Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", r"[A-Za-z0-9]{16,}"),
        ("a Stripe webhook secret", "whsec_", r"[A-Za-z0-9+/=]{20,}"),
        ("an Agentmart key", "ar_sk_live_ ar_sk_test_", r"[A-Za-z0-9._\-]{16,}"),
        ("an AWS key id", "AKIA ASIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"[A-Za-z0-9_]{30,}"),
        ("a GitLab token", "glpat-", r"[A-Za-z0-9_\-]{20,}"),
        ("a Google API key", "AIza", r"[0-9A-Za-z_\-]{35}"),
        ("a Slack token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs-", r"[A-Za-z0-9\-]{12,}"),
        ("a Hugging Face token", "hf_", r"[A-Za-z0-9]{30,}"),
        ("a Groq key", "gsk_", r"[A-Za-z0-9]{40,}"),
        ("a Tavily key", "tvly-", r"[A-Za-z0-9\-]{20,}"),
        ("an Astra token", "AstraCS:", r"[A-Za-z0-9:]{30,}"),
        ("a private key", "-----BEGIN", r" [A-Z ]{0,30}PRIVATE KEY-----"),
        # Bounded and possessive: without a dot every beginning would be read to the end of the text.
        ("a signed token", "eyJ", r"[A-Za-z0-9_\-]{10,300}+\.eyJ[A-Za-z0-9_\-]{5,}+\.[A-Za-z0-9_\-]{10,}"),
    )
    for start in starts.split()
)
URL_START = "://"
# What is looked for in the whole text: one rarer piece for several beginnings.
SHARED_PIECES = ("k_live_", "k_test_", "xox")
STARTS = tuple(
    (start, next((piece for piece in SHARED_PIECES if piece in start), start).encode())
    for start in (*(row[1] for row in KEY_SHAPES), URL_START)
)
PIECES = frozenset(piece for _, piece in STARTS)
URL_PASSWORD = re.compile(r"://[^/\s:@\"'\\]{1,64}:([^/\s:@\"'\\]{1,128})@[^/\s]")
PLACEHOLDER_PASSWORDS = frozenset(
    {"password", "pass", "pwd", "secret", "passwd", "postgres", "pw", "mypassword"}
)
MIN_DIFFERENT_CHARACTERS = 8
MAX_SECRET_NAME = 100
MAX_MISPLACED = 100


def strip_secrets(graph: FlowGraph) -> list[Problem]:
    """Empty every secret field that holds a value instead of a variable's name; returns a notice for each."""
    notices: list[Problem] = []
    for node in graph.nodes.values():
        for name, field in node.fields():
            if name == CODE:
                continue
            if is_secret_field(name, field):
                if field.get("value") and not _is_reference(field):
                    notices.append(_stripped(node, name, _hint(field["value"])))
                    _empty(field)
            elif isinstance(field.get("value"), (dict, list)):
                notices.extend(_stripped(node, name, "") for _ in _strip_inside(field["value"]))
    return list(dict.fromkeys(notices))


def key_shapes_in(text: str, beginnings: Collection[str] | None = None) -> str:
    """Return what kind of key a text contains, "" if none; placeholders do not count.

    `beginnings`, where known, are the only beginnings of keys that the text holds.
    """
    for kind, start, shape in KEY_SHAPES:
        if beginnings is not None and start not in beginnings:
            continue
        at = text.find(start)
        while at >= 0:
            match = shape.match(text, at)
            if match and _is_real(match.group(0)):
                return kind
            # Behind a hit that is no key: looking at each of its characters again would be quadratic.
            at = text.find(start, _behind(match) if match else at + 1)
    if URL_START in text:
        for match in URL_PASSWORD.finditer(text):
            if match.group(1).lower() not in PLACEHOLDER_PASSWORDS and not PLACEHOLDER.search(match.group(1)):
                return "an address with a password"
    return ""


def find_misplaced(graph: FlowGraph, document: dict[str, Any], published: Collection[str]) -> list[Problem]:
    """Return an error for every key-shaped text left in the flow, 100 at most.

    Sources of nodes in `published` are public text and are passed over.
    """
    if not _suspicious(graph, document, published):
        return []
    paths = {node.path: node for node in graph.nodes.values()}
    public = {graph.nodes[node_id].code for node_id in published}
    problems: dict[str, Problem] = {}
    for path, value in strings(document):
        kind = key_shapes_in(value)
        if not kind or value in public:
            continue
        where = path.replace(f".{value}", ".…") if path.endswith(value) else path
        where = "…" if key_shapes_in(where) else where[:300]
        if where in problems:
            continue
        if len(problems) == MAX_MISPLACED:
            break
        node_path = max((start for start in paths if path.startswith(f"{start}.")), key=len, default="")
        node = paths.get(node_path)
        place = f"node {node.id}, {_field_words(where)}" if node else where
        message = f"Looks like {kind} in {place}: take it out, and use a variable of a secret field instead."
        problems[where] = Problem("secret_in_flow", message, where, node.id if node else "")
    return sorted(problems.values(), key=lambda problem: problem.path)


def _suspicious(graph: FlowGraph, document: dict[str, Any], published: Collection[str]) -> bool:
    """Whether any key shape occurs at all, found by a few fast searches of the flow without its public sources."""
    held = [graph.nodes[node_id].template[CODE] for node_id in published]
    sources = [field["value"] for field in held]
    for field in held:
        field["value"] = ""
    try:
        raw = msgspec.json.encode(document)
    finally:
        for field, source in zip(held, sources, strict=True):
            field["value"] = source
    pieces = {piece for piece in PIECES if piece in raw}
    beginnings = {start for start, piece in STARTS if piece in pieces}
    return bool(beginnings and key_shapes_in(raw.decode(), beginnings))


def is_secret_field(name: str, field: dict[str, Any]) -> bool:
    """Whether a template field is meant for a credential."""
    if field.get("password") is True or str(field.get("_input_type")) in SECRET_INPUTS:
        return True
    proxy = field.get("proxy")
    inner = proxy.get("field") if isinstance(proxy, dict) else None
    named = is_secret_name(name) or (isinstance(inner, str) and is_secret_name(inner))
    return named and field.get("type") in (None, "str")


def is_secret_name(name: str) -> bool:
    """Whether a field, header or parameter of this name usually holds a credential."""
    return _ends_like_secret(name[-MAX_SECRET_NAME:])


@functools.lru_cache(4096)
def _ends_like_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name))


def variable_of(name: str, field: dict[str, Any]) -> str:
    """Return the variable a field refers to, "" if it holds a value of its own."""
    value = field.get("value")
    if field.get("load_from_db") is not True or not isinstance(value, str) or not VARIABLE_NAME.match(value):
        return ""
    return "" if _looks_random(value) or key_shapes_in(value) else value


def _is_reference(field: dict[str, Any]) -> bool:
    return bool(variable_of("", field))


def _strip_inside(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    """Empty secrets in tables and dictionaries: {"Authorization": "…"} and rows of {key, value}."""
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
            continue
        if not isinstance(item, dict):
            continue
        row_key = item.get("key", item.get("name"))
        for key, below in item.items():
            if isinstance(below, (dict, list)):
                stack.append(below)
            elif isinstance(below, str) and below and (key == "value" or is_secret_name(key)):
                row = key == "value" and isinstance(row_key, str) and is_secret_name(row_key)
                if (row or key != "value") and not _names_only(below):
                    item[key] = ""
                    yield key


def _names_only(value: str) -> bool:
    """Whether a text is a placeholder, a variable's name, or a parameter's: {"api_key": "api_key"} is no secret."""
    named = UPPER_NAME.match(value) or (value.islower() and is_secret_name(value))
    return bool(named or PLACEHOLDER.search(value))


def _stripped(node: FlowNode, name: str, hint: str) -> Problem:
    message = f"Node {node.id}: the field {shown(name)} held a secret in plain text; it was emptied.{hint}"
    return Problem("secret_stripped", message, node.field_path(name), node.id)


def _hint(value: Any) -> str:
    if isinstance(value, str) and UPPER_NAME.match(value):
        return " If it was the name of a variable, mark it so in Langflow (the globe icon) and import again."
    return ""


def _empty(field: dict[str, Any]) -> None:
    field["value"] = ""
    if field.get("load_from_db"):
        field["load_from_db"] = False


def _behind(match: re.Match[str]) -> int:
    """Return where a hit that is not real stops being in the way: behind its placeholder, else behind all of it."""
    placeholder = PLACEHOLDER.search(match.group(0))
    return match.start() + placeholder.end() if placeholder else match.end()


def _is_real(hit: str) -> bool:
    """Whether a hit is more than a placeholder such as sk-your-key-here."""
    if hit.startswith("-----BEGIN"):
        return True
    return not PLACEHOLDER.search(hit) and len(set(hit)) >= MIN_DIFFERENT_CHARACTERS


def _looks_random(value: str) -> bool:
    """Whether a would-be variable name is rather a key: long, and digits mixed with both cases."""
    mixed = (
        any(c.isdigit() for c in value)
        and any(c.islower() for c in value)
        and any(c.isupper() for c in value)
    )
    hexadecimal = len(value) >= 32 and re.fullmatch(r"[0-9a-f\-]+", value, re.IGNORECASE)
    return bool(hexadecimal) or (len(value) >= 16 and mixed and " " not in value)


def _field_words(path: str) -> str:
    _, found, rest = path.partition(".template.")
    return f"field {shown(rest.split('.')[0])}" if found else path.rpartition(".data.node.")[2] or path
