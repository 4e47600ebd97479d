"""Which runtimes an installation has: embedded always, a Langflow server where one is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentmart.adapters.runtimes import build
from agentmart.contracts.environment import environment
from agentmart.contracts.runtimes import kinds, new_runtime, runtime_parameters, runtime_places
from agentmart.gateway.settings import settings_from_environment
from agentmart.kit.env import BadSetting

SERVER = {"LANGFLOW_RUNTIME_URL": "http://langflow:7860", "LANGFLOW_RUNTIME_API_KEY": "sk-langflow"}
EMBEDDED = {"socket_path": "/data/run/runtime/runtime.sock"}


def test_without_settings_there_is_the_embedded_runtime_only() -> None:
    settings = environment({"AGENTMART_DATA_DIR": "/data"})
    assert runtime_parameters(settings) == {"embedded": EMBEDDED}
    assert new_runtime(settings) == "embedded"


def test_a_langflow_server_is_there_beside_the_embedded_runtime() -> None:
    settings = environment({"AGENTMART_DATA_DIR": "/data", **SERVER})
    langflow = {"url": "http://langflow:7860", "api_key": "sk-langflow", "timeout": 30.0}
    assert runtime_parameters(settings) == {"embedded": EMBEDDED, "langflow": langflow}
    assert new_runtime(settings) == "embedded"
    assert new_runtime(environment({**SERVER, "AGENTMART_RUNTIME": "langflow"})) == "langflow"


def test_the_key_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-in-a-file\n")
    file = {"LANGFLOW_RUNTIME_URL": "https://l", "LANGFLOW_RUNTIME_API_KEY_FILE": str(tmp_path / "key")}
    assert runtime_parameters(environment(file))["langflow"]["api_key"] == "sk-in-a-file"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"LANGFLOW_RUNTIME_URL": "langflow:7860"}, "LANGFLOW_RUNTIME_URL"),
        ({"LANGFLOW_RUNTIME_API_KEY": ""}, "LANGFLOW_RUNTIME_API_KEY"),
        ({"LANGFLOW_RUNTIME_TIMEOUT": "soon"}, "LANGFLOW_RUNTIME_TIMEOUT"),
        ({"LANGFLOW_RUNTIME_TIMEOUT": "0"}, "LANGFLOW_RUNTIME_TIMEOUT"),
    ],
)
def test_bad_settings_of_a_server_name_themselves(values: dict[str, str], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        runtime_parameters(environment({**SERVER, **values}))


@pytest.mark.parametrize("kind", ["fake", "Langflow", ""])
def test_new_resources_go_to_a_runtime_that_exists(kind: str) -> None:
    with pytest.raises(BadSetting, match="embedded, langflow"):
        new_runtime(environment({"AGENTMART_RUNTIME": kind}))


async def test_every_runtime_can_be_built_from_its_parameters() -> None:
    parameters = runtime_parameters(environment({"AGENTMART_DATA_DIR": "/nonexistent", **SERVER}))
    assert set(parameters) == set(kinds()) == {"embedded", "langflow"}
    for kind, values in parameters.items():
        await build(kind, **values).close()


def test_the_gateway_has_both_and_shows_no_key() -> None:
    database = {"AGENTMART_GATEWAY_DATABASE_URL": "postgresql://u:p@/d", "AGENT_KEYS_SECRET_KEY": "x" * 32}
    settings = settings_from_environment(environment({**database, **SERVER}))
    assert set(settings.runtimes) == {"embedded", "langflow"}
    assert "sk-langflow" not in repr(settings)


def test_places_are_bounded_where_told() -> None:
    settings = {"AGENTMART_RUNTIME_CHILDREN": "3", "AGENTMART_RUNTIME_RUNS_PER_CHILD": "5"}
    assert runtime_places(environment(settings)) == {"embedded": 15}
    settings |= {"AGENTMART_RUNTIME_SLOTS": "7", "LANGFLOW_RUNTIME_SLOTS": "4"}
    assert runtime_places(environment(settings)) == {"embedded": 7, "langflow": 4}


@pytest.mark.parametrize("name", ["AGENTMART_RUNTIME_SLOTS", "LANGFLOW_RUNTIME_SLOTS"])
def test_bad_places_name_themselves(name: str) -> None:
    with pytest.raises(BadSetting, match=name):
        runtime_places(environment({name: "-1"}))
