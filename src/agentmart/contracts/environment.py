# ruff: noqa: E501  one setting a line reads best
"""Every setting of the product, once. `docs/settings.md` is made from this table; a test keeps it true."""

from __future__ import annotations

from agentmart.contracts.runtimes import kinds
from agentmart.kit.env import Environment, Setting

_ALL = ("web", "worker", "gateway", "runtime")

SETTINGS: tuple[Setting, ...] = (
    # -- where things are
    Setting(
        "AGENTMART_DATA_DIR",
        "Folder of the embedded database, secrets, sockets and logs.",
        ".agentmart",
        "path",
        readers=_ALL,
    ),
    Setting(
        "AGENTMART_HOST", "Address the web and gateway servers bind.", "127.0.0.1", readers=("web", "gateway")
    ),
    Setting("AGENTMART_WEB_PORT", "Port of the portal and REST API.", "8000", "int", readers=("web",)),
    Setting("AGENTMART_GATEWAY_PORT", "Port of the gateway.", "8001", "int", readers=("gateway",)),
    Setting(
        "AGENTMART_WEB_URL", "Public address of the portal and API; default http://HOST:WEB_PORT.", "", "url"
    ),
    Setting(
        "AGENTMART_GATEWAY_URL",
        "Public address of the gateway, shown to buyers; default http://HOST:GATEWAY_PORT.",
        "",
        "url",
    ),
    Setting("AGENTMART_WEB_WORKERS", "Web server processes.", "2", "int", readers=("web",)),
    Setting(
        "AGENTMART_ALLOWED_HOSTS",
        "Host names the web server answers to, comma separated; * for any.",
        "*",
        readers=("web",),
    ),
    Setting(
        "AGENTMART_TRUSTED_PROXIES",
        "Addresses or networks, comma separated, of proxies before web server and gateway whose X-Forwarded-For is believed; empty: none.",
        readers=("web", "gateway"),
    ),
    Setting("AGENTMART_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR.", "INFO", readers=_ALL),
    # -- database
    Setting(
        "DATABASE_URL",
        "External PostgreSQL >= 15 with pgvector, as a role that may create roles and tables; empty: embedded PostgreSQL 18.",
        "",
        "url",
        secret=True,
        readers=("migrate",),
    ),
    Setting(
        "AGENTMART_APP_DATABASE_URL",
        "The same database as role agentmart_app; default: made from DATABASE_URL with a generated password.",
        "",
        "url",
        secret=True,
    ),
    Setting(
        "AGENTMART_GATEWAY_DATABASE_URL",
        "The same database as role agentmart_gateway; default: likewise.",
        "",
        "url",
        secret=True,
        readers=("gateway",),
    ),
    # -- secrets
    Setting(
        "AGENTMART_SECRET_KEY",
        "Django's signing secret; default: generated into the data folder.",
        "",
        secret=True,
    ),
    Setting(
        "AGENT_KEYS_SECRET_KEY",
        "Signs API keys (at least 32 bytes); default: generated into the data folder.",
        "",
        secret=True,
        readers=("web", "worker", "gateway"),
    ),
    Setting(
        "AGENT_KEYS_ALGORITHM",
        "JWT algorithm of that secret: HS256, HS384, HS512, or EdDSA (the secret is then an Ed25519 key in PEM form).",
        "HS256",
        readers=("web", "worker", "gateway"),
    ),
    Setting(
        "AGENT_KEYS_FILE",
        "File of further signing keys, written by `agentmart signing-keys` and read anew when it changes; default DATA_DIR/signing-keys.json.",
        "",
        "path",
        readers=("web", "worker", "gateway"),
    ),
    Setting("AGENT_KEYS_ISSUER", "Claim iss of API keys.", "agentmart", readers=("web", "worker", "gateway")),
    Setting(
        "AGENT_KEYS_AUDIENCE",
        "Claim aud of API keys.",
        "agentmart-gateway",
        readers=("web", "worker", "gateway"),
    ),
    Setting(
        "AGENT_KEYS_DEFAULT_EXPIRY_DAYS",
        "Days until a key expires unless its creator says otherwise.",
        "365",
        "int",
    ),
    Setting(
        "AGENTMART_TEST_KEY_REQUESTS_PER_MINUTE",
        "Most calls a minute with one test key; they are not billed.",
        "20",
        "int",
    ),
    Setting(
        "AGENTMART_TEST_KEY_REQUESTS_PER_MONTH",
        "Most calls a month with one test key.",
        "1000",
        "int",
    ),
    Setting(
        "AGENT_SESSIONS_SECRET_KEY",
        "Signs tokens of the widget's chat sessions (at least 32 bytes), the same at every gateway; several, comma separated: the first signs, all are accepted; default: generated into the data folder.",
        "",
        secret=True,
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_SESSION_SECONDS",
        "How long such a token is good; an open page renews it.",
        "600",
        "int",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_SESSION_CALLS_PER_MINUTE",
        "Most calls a minute of one chat session.",
        "20",
        "int",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_ADDRESS_CALLS_PER_MINUTE",
        "Most chat sessions opened and calls made in them a minute from one address (IPv6: one /64 network).",
        "60",
        "int",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_PAYLOAD_KEY",
        "Encrypts what buyers have kept of their calls' content; several, comma separated: the first encrypts, all decrypt; default: generated into the data folder.",
        "",
        secret=True,
        readers=("web", "gateway"),
    ),
    Setting(
        "AGENTMART_STORED_SECRETS_KEY",
        "Encrypts secrets that providers store, the API keys of their Studios; several, comma separated: the first encrypts, all decrypt; default: generated into the data folder.",
        "",
        secret=True,
        readers=("web",),
    ),
    Setting(
        "AGENTMART_METRICS_TOKEN",
        "Bearer token that opens the gateway's /metrics; empty: only callers on this machine, past no proxy, see it.",
        "",
        secret=True,
        readers=("gateway",),
    ),
    # -- models
    Setting(
        "OPENAI_API_KEY",
        "Key of the model endpoint; only the runtime's parent process holds it. Empty: the development model.",
        "",
        secret=True,
        readers=("runtime",),
    ),
    Setting(
        "OPENAI_BASE_URL",
        "OpenAI-compatible model endpoint.",
        "https://api.openai.com/v1",
        "url",
        readers=("runtime",),
    ),
    Setting(
        "AGENTMART_DEV_MODEL_PORT",
        "Port of the development model server that serve and demo start where no model key is set.",
        "8002",
        "int",
        readers=("dev-model",),
    ),
    # -- runtime
    Setting(
        "AGENTMART_RUNTIME",
        "Runtime that new resources get: embedded, or langflow (a Langflow server); existing ones stay where they are.",
        "embedded",
    ),
    Setting(
        "AGENTMART_FALLBACK_RUNTIME",
        "Runtime that flows are deployed to as well, and that is asked where a run at their own cannot have begun: embedded or langflow; empty: none.",
        "",
        readers=("gateway", "worker"),
    ),
    *(setting for kind in kinds().values() for setting in kind.settings),
    Setting(
        "AGENTMART_RUNTIME_SOCKET",
        "Unix socket of the flow runtime; default DATA_DIR/run/runtime/runtime.sock.",
        "",
        "path",
        readers=("gateway", "worker", "runtime"),
    ),
    Setting(
        "AGENTMART_RUNTIME_VENV",
        "Virtual environment that holds lfx; default: DATA_DIR/runtime-venv, made on first use.",
        "",
        "path",
        readers=("runtime",),
    ),
    Setting(
        "AGENTMART_RUNTIME_CHILDREN",
        "Most flow processes that run known flows at the same time.",
        "2",
        "int",
        readers=("runtime", "gateway"),
    ),
    Setting(
        "AGENTMART_RUNTIME_RUNS_PER_CHILD",
        "Most runs one of these processes does at the same time.",
        "16",
        "int",
        readers=("runtime", "gateway"),
    ),
    Setting(
        "AGENTMART_RUNTIME_MEMORY_MB",
        "Address space a flow process may use beyond the loaded executor, in MiB.",
        "1024",
        "int",
        readers=("runtime",),
    ),
    Setting(
        "AGENTMART_RUNTIME_UID",
        "Numeric user flow processes run as when the runtime is started by root.",
        "64210",
        "int",
        readers=("runtime",),
    ),
    Setting(
        "AGENTMART_RUN_TIMEOUT_SECONDS",
        "Longest run of a flow.",
        "60",
        "int",
        readers=("gateway", "runtime", "worker"),
    ),
    Setting(
        "AGENTMART_LIMITS_URL",
        "Redis or Valkey that several gateways count limits in (redis://, rediss://, valkey://, unix://); empty: each counts by itself.",
        "",
        "url",
        secret=True,
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_LIMITS_FALLBACK",
        "While that server is away: open (each gateway counts by itself) or closed (calls with limits get 503).",
        "open",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_RUNTIME_SLOTS",
        "Calls a gateway lets the embedded runtime run at once; more wait, every customer's in a queue of its own. 0: CHILDREN × RUNS_PER_CHILD.",
        "0",
        "int",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_SHED_AFTER_MS",
        "How long calls that were let in may wait for their run to begin, in milliseconds, before more are refused with 503; 0: any time.",
        "500",
        "int",
        readers=("gateway",),
    ),
    Setting(
        "AGENTMART_SHUTDOWN_GRACE_SECONDS",
        "How long the gateway, told to stop, lets calls go on before it stops and meters them as they are.",
        "20",
        "int",
        readers=("gateway",),
    ),
    # -- rules
    Setting("AGENTMART_FLOW_MAX_BYTES", "Largest flow export accepted.", "5242880", "int", readers=("web",)),
    Setting(
        "AGENTMART_PROVIDER_PUBLISH",
        "review: an operator activates what a provider publishes; direct: providers activate.",
        "review",
    ),
    Setting(
        "AGENTMART_PUBLIC_CATALOG", "Whether visitors without login see active offerings.", "true", "bool"
    ),
    Setting(
        "AGENTMART_INVITATIONS_PER_DAY",
        "Most invitation mails that the members of one customer send in a day.",
        "200",
        "int",
        readers=("web",),
    ),
    Setting(
        "AGENTMART_INVOICE_GRACE_SECONDS",
        "Time between a period's end and the finalization of its invoices.",
        "3600",
        "int",
    ),
    Setting("AGENTMART_INVOICE_DUE_DAYS", "Days between an invoice's date and its due date.", "14", "int"),
    Setting("AGENTMART_CURRENCY", "ISO 4217 currency of plans that name none.", "USD"),
    Setting(
        "AGENTMART_OPERATOR_NAME", "Legal name of the operator, as issuer of invoices.", "Agentmart operator"
    ),
    Setting(
        "AGENTMART_CALLBACK_HOSTS",
        "Hosts inside your own network that the callback addresses of orders may name, comma separated; all others must be public.",
        readers=("web", "worker"),
    ),
    Setting(
        "AGENTMART_STUDIO_HOSTS",
        "Hosts inside your own network whose Langflow Studios providers may import flows from, comma separated; all others must be public and speak https.",
        readers=("web",),
    ),
    # -- support desk
    Setting(
        "AGENTMART_SUPPORT_HOURS",
        "When the clocks of the support desk run, like Mon-Fri 09:00-17:00; Sat 10:00-12:00; empty: always.",
    ),
    Setting("AGENTMART_SUPPORT_TIMEZONE", "Time zone of these hours.", "UTC"),
    Setting("AGENTMART_SUPPORT_HOLIDAYS", "Days without these hours, like 2026-12-25,2027-01-01."),
    Setting(
        "AGENTMART_SUPPORT_EMAIL",
        "Who is told of late and escalated issues, comma separated; empty: staff and support.",
        readers=("worker",),
    ),
    Setting(
        "AGENTMART_SUPPORT_ATTACHMENT_MAX_BYTES",
        "Largest file that may be attached to an issue.",
        "10485760",
        "int",
        readers=("web",),
    ),
    # -- e-mail
    Setting("AGENTMART_EMAIL_HOST", "Mail server; empty: no e-mail is sent.", readers=("worker",)),
    Setting("AGENTMART_EMAIL_PORT", "Its port.", "587", "int", readers=("worker",)),
    Setting("AGENTMART_EMAIL_USER", "Its login; empty: none.", readers=("worker",)),
    Setting("AGENTMART_EMAIL_PASSWORD", "Password of that login.", secret=True, readers=("worker",)),
    Setting("AGENTMART_EMAIL_TLS", "Whether to ask for TLS (STARTTLS).", "true", "bool", readers=("worker",)),
    Setting("AGENTMART_EMAIL_FROM", "Sender of e-mail.", "agentmart@localhost", readers=("worker",)),
    # -- development
    Setting(
        "AGENTMART_DEV_CLOCK",
        "Development only: every process adds the offset kept in DATA_DIR/dev-clock.json to the time.",
        "false",
        "bool",
        readers=_ALL,
    ),
)


def environment(values: dict[str, str] | None = None) -> Environment:
    """Return the declared settings, read from the process environment or the given values."""
    return Environment(SETTINGS, values)
