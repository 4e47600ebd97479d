"""What the gateway is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from agentmart.adapters.counters import SCHEMES
from agentmart.contracts.environment import environment
from agentmart.contracts.payloads import keys_of
from agentmart.contracts.places import Network, read_networks
from agentmart.contracts.runtimes import fallback_runtime, runtime_parameters, runtime_places
from agentmart.contracts.signing import BadRing, open_ring
from agentmart.kit.clock import Clock, OffsetClock, SystemClock
from agentmart.kit.env import BadSetting, Environment

MIN_SESSION_SECRET = 32


@dataclass(frozen=True, slots=True)
class KeySettings:
    """How API keys are signed: the settings' own signing key, and the file of the others."""

    secret: str = field(repr=False)
    algorithm: str = "HS256"
    issuer: str = "agentmart"
    audience: str = "agentmart-gateway"
    file: str = ""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Chat sessions of web pages. The first secret signs their tokens, all are accepted; without one they end
    with the process."""

    secrets: tuple[str, ...] = field(default_factory=lambda: (token_urlsafe(48),), repr=False)
    seconds: int = 600  # of one token; it is renewed while the page is open
    longest: int = 24 * 3600  # of a session, however often it is renewed
    calls_per_minute: int = 20  # of one session
    address_calls_per_minute: int = 60  # of one address: sessions opened, and calls in any of them


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything the gateway needs; times in seconds, sizes in bytes."""

    database_url: str = field(repr=False)
    payload_secret: str = field(
        default="", repr=False, kw_only=True
    )  # seals kept content; without one none is
    keys: KeySettings
    sessions: SessionSettings = field(default_factory=SessionSettings, kw_only=True)
    trusted_proxies: tuple[Network, ...] = field(
        default=(), kw_only=True
    )  # X-Forwarded-For is believed from them
    # name of a folder of adapters.runtimes → parameters, which may hold keys; no other is ever built
    runtimes: dict[str, dict[str, Any]] = field(repr=False)
    data_dir: Path
    clock: Clock = field(default_factory=SystemClock)
    run_timeout: float = 60.0
    max_body_bytes: int = 1024 * 1024
    max_output: int = 4 * 1024 * 1024  # characters of an answer
    buffered_output: int = 256 * 1024  # characters made and not yet taken, after which the run waits
    max_calls: int = 2000  # in flight; one more is answered 503 at once
    places: dict[str, int] = field(
        default_factory=dict
    )  # runtime → calls run there at once; more wait in turn
    most_waiting: int = 1000  # calls in turn for one runtime
    turn_patience: float = 10.0  # longest wait in turn
    longest_wait: float = 0.5  # of calls that were let in, before more are refused; 0: any
    # runtime → the runtime that runs its deployments too, asked where a run there cannot have begun
    fallbacks: dict[str, str] = field(default_factory=dict)
    keep_alive: float = 15.0  # silence in a stream after which a comment is sent
    body_timeout: float = 30.0  # a request's body must have come by then
    send_timeout: float = 30.0  # a caller that takes nothing for so long has left
    database_timeout: float = 2.0  # connect, or one statement
    usage_wait: float = 3.0  # longest wait for a usage write before the call is refused or spooled
    shutdown_grace: float = 20.0  # after it, calls still running are stopped and metered as they are
    grant_ttl: float = 60.0
    unknown_key_ttl: float = 2.0
    metrics_token: str = field(default="", repr=False)
    limits_url: str = field(default="", repr=False)  # server of counters that several gateways share
    limits_fail_open: bool = True  # while it is away each gateway counts by itself; else calls are refused
    limits_timeout: float = 0.25

    @property
    def spool_dir(self) -> Path:
        """Return the folder of usage that could not be written to the database yet."""
        return self.data_dir / "spool"


def settings_from_environment(env: Environment | None = None) -> GatewaySettings:
    """Return the gateway's settings; raises BadSetting that names the variable and what it must be."""
    env = env or environment()
    data_dir = env.path("AGENTMART_DATA_DIR")
    database_url = env.text("AGENTMART_GATEWAY_DATABASE_URL")
    if not database_url.startswith(("postgresql://", "postgres://")):
        raise BadSetting(
            "AGENTMART_GATEWAY_DATABASE_URL must be the database's URL for the role agentmart_gateway"
        )
    runtimes = runtime_parameters(env)
    fallback = fallback_runtime(env)
    shed_after = env.integer("AGENTMART_SHED_AFTER_MS")
    grace = env.integer("AGENTMART_SHUTDOWN_GRACE_SECONDS")
    if shed_after < 0 or grace < 1:
        raise BadSetting(
            "AGENTMART_SHED_AFTER_MS must be at least 0, AGENTMART_SHUTDOWN_GRACE_SECONDS at least 1"
        )
    dev_clock = env.flag("AGENTMART_DEV_CLOCK")
    return GatewaySettings(
        database_url=database_url,
        keys=_key_settings(env),
        runtimes=runtimes,
        fallbacks=dict.fromkeys(runtimes, fallback) if fallback else {},
        longest_wait=shed_after / 1000,
        shutdown_grace=float(grace),
        data_dir=data_dir,
        clock=OffsetClock(data_dir / "dev-clock.json") if dev_clock else SystemClock(),
        run_timeout=float(env.integer("AGENTMART_RUN_TIMEOUT_SECONDS")),
        metrics_token=env.text("AGENTMART_METRICS_TOKEN"),
        places=runtime_places(env),
        limits_url=_limits_url(env),
        limits_fail_open=_limits_fail_open(env),
        payload_secret=next(iter(keys_of(env.text("AGENTMART_PAYLOAD_KEY"))), ""),
        sessions=_session_settings(env),
        trusted_proxies=_trusted_proxies(env),
    )


def _limits_url(env: Environment) -> str:
    url = env.text("AGENTMART_LIMITS_URL")
    if url and url.partition("://")[0] not in SCHEMES:
        raise BadSetting(f"AGENTMART_LIMITS_URL must begin with one of {', '.join(SCHEMES)} and ://")
    return url


def _limits_fail_open(env: Environment) -> bool:
    policy = env.text("AGENTMART_LIMITS_FALLBACK")
    if policy not in ("open", "closed"):
        raise BadSetting(f"AGENTMART_LIMITS_FALLBACK must be open or closed, not {policy!r}")
    return policy == "open"


def _key_settings(env: Environment) -> KeySettings:
    keys = KeySettings(
        secret=env.text("AGENT_KEYS_SECRET_KEY"),
        algorithm=env.text("AGENT_KEYS_ALGORITHM"),
        issuer=env.text("AGENT_KEYS_ISSUER"),
        audience=env.text("AGENT_KEYS_AUDIENCE"),
        file=env.text("AGENT_KEYS_FILE"),
    )
    try:
        open_ring(keys.secret, keys.algorithm, keys.file)
    except BadRing as error:
        raise BadSetting(f"AGENT_KEYS_SECRET_KEY, AGENT_KEYS_ALGORITHM, AGENT_KEYS_FILE: {error}") from None
    return keys


def _session_settings(env: Environment) -> SessionSettings:
    secrets = tuple(part.strip() for part in env.text("AGENT_SESSIONS_SECRET_KEY").split(",") if part.strip())
    if any(len(secret.encode()) < MIN_SESSION_SECRET for secret in secrets):
        raise BadSetting(f"AGENT_SESSIONS_SECRET_KEY must have at least {MIN_SESSION_SECRET} bytes")
    numbers = {
        "seconds": "AGENTMART_SESSION_SECONDS",
        "calls_per_minute": "AGENTMART_SESSION_CALLS_PER_MINUTE",
        "address_calls_per_minute": "AGENTMART_ADDRESS_CALLS_PER_MINUTE",
    }
    values: dict[str, Any] = {field_name: env.integer(name) for field_name, name in numbers.items()}
    for field_name, value in values.items():
        if value < 1:
            raise BadSetting(f"{numbers[field_name]} must be at least 1, not {value}")
    sessions = SessionSettings(**values)
    return replace(sessions, secrets=secrets) if secrets else sessions


def _trusted_proxies(env: Environment) -> tuple[Network, ...]:
    try:
        return read_networks(env.text("AGENTMART_TRUSTED_PROXIES"))
    except ValueError as error:
        raise BadSetting(f"AGENTMART_TRUSTED_PROXIES: {error}") from None
