"""What each process is told: the settings it reads, one database role, and no secret of another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentmart.config import process_environment as environments
from agentmart.config.database import DatabaseUrls
from agentmart.contracts.environment import SETTINGS, environment
from agentmart.kit.env import BadSetting, Environment

OWNER = "postgresql://agentmart_owner:owner-password@h/agentmart"
APP = "postgresql://agentmart_app:app-password@h/agentmart"
GATEWAY = "postgresql://agentmart_gateway:gateway-password@h/agentmart"
URLS = DatabaseUrls(owner=OWNER, app=APP, gateway=GATEWAY, admin=OWNER)

SECRETS = {
    "DATABASE_URL": OWNER,
    "AGENTMART_SECRET_KEY": "django-secret-django-secret-django-secret",
    "AGENT_KEYS_SECRET_KEY": "keys-secret-keys-secret-keys-secret-keys",
    "OPENAI_API_KEY": "model-key",
    "LANGFLOW_RUNTIME_API_KEY": "langflow-key",
    "AGENTMART_PAYLOAD_KEY": "payload-key",
    "AGENTMART_STORED_SECRETS_KEY": "stored-secrets-key",
}


def told(name: str, data_dir: Path, **values: str) -> dict[str, str]:
    settings = environment({**SECRETS, "AGENTMART_DATA_DIR": str(data_dir), **values})
    return environments.for_process(name, settings, data_dir, URLS)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        (
            "web",
            {
                APP,
                SECRETS["AGENTMART_SECRET_KEY"],
                SECRETS["AGENT_KEYS_SECRET_KEY"],
                "payload-key",
                "stored-secrets-key",
            },
        ),
        (
            "worker",
            {APP, SECRETS["AGENTMART_SECRET_KEY"], SECRETS["AGENT_KEYS_SECRET_KEY"], "langflow-key"},
        ),
        ("gateway", {GATEWAY, SECRETS["AGENT_KEYS_SECRET_KEY"], "langflow-key", "payload-key"}),
        ("runtime", {SECRETS["OPENAI_API_KEY"]}),
        ("dev-model", set()),
    ],
)
def test_a_process_holds_its_own_secrets_and_no_others(name: str, holds: set[str], tmp_path: Path):
    values = set(told(name, tmp_path).values())
    assert values & {*SECRETS.values(), APP, GATEWAY} == holds


def test_only_migrations_connect_as_the_owner(tmp_path: Path):
    settings = environment({**SECRETS, "AGENTMART_DATA_DIR": str(tmp_path)})
    values = environments.for_migrations(settings, tmp_path, URLS)
    assert values["DATABASE_URL"] == OWNER
    assert values["AGENTMART_DATABASE_ROLE"] == "owner"


def test_what_the_shell_holds_besides_is_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "shell-secret")
    for name in ("web", "worker", "gateway", "runtime", "dev-model"):
        assert "shell-secret" not in told(name, tmp_path).values()


def test_settings_reach_their_readers_and_nobody_else(tmp_path: Path):
    given = {setting.name: "7" for setting in SETTINGS if setting.kind == "int"}
    for name in ("web", "worker", "gateway", "runtime"):
        values = told(name, tmp_path, **given)
        expected = {setting.name for setting in SETTINGS if setting.kind == "int" and name in setting.readers}
        assert {key for key in values if key in given} == expected


def test_public_addresses_follow_the_ports_unless_they_are_set(tmp_path: Path):
    made = told("web", tmp_path, AGENTMART_GATEWAY_PORT="9001", AGENTMART_HOST="0.0.0.0")
    assert made["AGENTMART_GATEWAY_URL"] == "http://127.0.0.1:9001"
    assert made["AGENTMART_WEB_URL"] == "http://127.0.0.1:8000"
    given = told("web", tmp_path, AGENTMART_GATEWAY_URL="https://agents.example.com")
    assert given["AGENTMART_GATEWAY_URL"] == "https://agents.example.com"


@pytest.mark.parametrize(
    ("values", "base_url", "key"),
    [
        ({"OPENAI_API_KEY": ""}, "http://127.0.0.1:8002/v1", environments.DEV_MODEL_KEY),
        (
            {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"},
            "http://127.0.0.1:11434/v1",
            None,
        ),
        ({"OPENAI_API_KEY": "k"}, None, "k"),
    ],
)
def test_the_development_model_stands_in_only_where_no_model_is_set(
    values: dict[str, str], base_url: str | None, key: str | None, tmp_path: Path
):
    runtime = told("runtime", tmp_path, **values)
    assert (runtime.get("OPENAI_BASE_URL"), runtime.get("OPENAI_API_KEY")) == (base_url, key)


def test_a_short_signing_secret_is_refused(tmp_path: Path):
    with pytest.raises(BadSetting, match="AGENT_KEYS_SECRET_KEY has 5 bytes; it needs at least 32"):
        told("gateway", tmp_path, AGENT_KEYS_SECRET_KEY="short")


def test_every_process_learns_the_same_runtime_socket(tmp_path: Path):
    paths = {
        told(name, tmp_path)["AGENTMART_RUNTIME_SOCKET"] for name in ("web", "worker", "gateway", "runtime")
    }
    assert len(paths) == 1
    assert len(paths.pop().encode()) <= 107


def test_secrets_may_come_from_files(tmp_path: Path):
    (tmp_path / "key").write_text("from-a-file-from-a-file-from-a-file\n")
    values = {"AGENTMART_DATA_DIR": str(tmp_path), "AGENT_KEYS_SECRET_KEY_FILE": str(tmp_path / "key")}
    made = environments.for_process("gateway", Environment(SETTINGS, values), tmp_path, URLS)
    assert made["AGENT_KEYS_SECRET_KEY"] == "from-a-file-from-a-file-from-a-file"
    assert "AGENT_KEYS_SECRET_KEY_FILE" not in made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENTMART_INVOICE_DUE_DAYS", "soon"),
        ("AGENTMART_PUBLIC_CATALOG", "perhaps"),
        ("AGENT_KEYS_SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://shop@db/shop"),
    ],
)
def test_a_bad_setting_is_told_before_anything_starts(name: str, value: str, tmp_path: Path):
    with pytest.raises(BadSetting, match=name):
        environments.check(environment({name: value}), tmp_path)


def test_the_defaults_are_good(tmp_path: Path):
    environments.check(environment({}), tmp_path)
