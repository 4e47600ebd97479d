"""Point every model node of a flow at the model egress, whatever provider it was saved with. Pure."""

from __future__ import annotations

from typing import Any

EGRESS_HOST = "127.0.0.2"  # not 127.0.0.1: lfx rewrites that to a container's host
EGRESS_PORT = 8080
EGRESS_URL = f"http://{EGRESS_HOST}:{EGRESS_PORT}/v1"
KEY_VARIABLE = "OPENAI_API_KEY"

LANGUAGE_MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
KEY_FIELDS = ("api_key", "openai_api_key")
BASE_FIELDS = ("openai_api_base", "base_url", "api_base")
DIRECT_COMPONENTS = frozenset({"OpenAIModel", "OpenAIEmbeddings"})


def adapt_node(component: str, template: dict[str, Any], installed: dict[str, Any]) -> None:
    """Make one node's model, if it has one, an OpenAI model reached through the egress, in place.

    `installed` is the template of this runtime's own component of that name: exports of older releases may lack
    the field that now holds the model.
    """
    if "model" not in template and _is_model_field(installed.get("model")):
        template["model"] = {**installed["model"], "value": ""}
    if _is_model_field(template.get("model")):
        _select_model(template)
    elif component not in DIRECT_COMPONENTS:
        return
    for name in KEY_FIELDS:
        if isinstance(template.get(name), dict):
            template[name].update(value=KEY_VARIABLE, load_from_db=True)
    for name in BASE_FIELDS:
        if isinstance(template.get(name), dict):
            template[name].update(value=EGRESS_URL, load_from_db=False)


def _is_model_field(field: object) -> bool:
    return isinstance(field, dict) and field.get("type") == "model"


def _select_model(template: dict[str, Any]) -> None:
    field = template["model"]
    fallback = EMBEDDING_MODEL if field.get("model_type") == "embedding" else LANGUAGE_MODEL
    name = model_name(field.get("value")) or _override(template) or fallback
    field["value"] = [{"name": name, "provider": "OpenAI", "category": "OpenAI", "metadata": {}}]
    for override in ("model_name", "provider", "agent_llm"):
        if isinstance(template.get(override), dict):
            template[override].update(value="", load_from_db=False)


def model_name(value: object) -> str:
    """Return the model's name that a saved selection holds, or nothing."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("name")
    return value if isinstance(value, str) and value != "connect_other_models" else ""


def _override(template: dict[str, Any]) -> str:
    field = template.get("model_name")
    if not isinstance(field, dict) or field.get("load_from_db"):
        return ""
    return model_name(field.get("value"))
