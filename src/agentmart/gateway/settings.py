"""What the gateway is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentmart.contracts.environment import environment
from agentmart.contracts.runtimes import fallback_runtime, runtime_parameters
from agentmart.kit.clock import Clock, OffsetClock, SystemClock
from agentmart.kit.env import BadSetting, Environment

MIN_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64, "EdDSA": 32}
"""Accepted algorithms; for EdDSA the secret is a key in PEM form."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """How API keys are signed; exactly one algorithm is accepted."""

    secret: str = field(repr=False)
    algorithm: str = "HS256"
    issuer: str = "agentmart"
    audience: str = "agentmart-gateway"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything the gateway needs; times in seconds, sizes in bytes."""

    database_url: str = field(repr=False)
    keys: KeySettings
    # name in adapters.runtimes.KINDS → parameters, which may hold keys; no other is ever built
    runtimes: dict[str, dict[str, Any]] = field(repr=False)
    data_dir: Path
    clock: Clock = field(default_factory=SystemClock)
    run_timeout: float = 60.0
    max_body_bytes: int = 1024 * 1024
    max_output: int = 4 * 1024 * 1024  # characters of an answer
    buffered_output: int = 256 * 1024  # characters made and not yet taken, after which the run waits
    max_calls: int = 2000  # in flight; one more is answered 503 at once
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
    )


def _key_settings(env: Environment) -> KeySettings:
    algorithm = env.text("AGENT_KEYS_ALGORITHM")
    least = MIN_SECRET_BYTES.get(algorithm)
    if least is None:
        raise BadSetting(
            f"AGENT_KEYS_ALGORITHM must be one of {', '.join(MIN_SECRET_BYTES)}, not {algorithm!r}"
        )
    secret = env.text("AGENT_KEYS_SECRET_KEY")
    if len(secret.encode()) < least:
        raise BadSetting(f"AGENT_KEYS_SECRET_KEY must have at least {least} bytes for {algorithm}")
    return KeySettings(
        secret=secret,
        algorithm=algorithm,
        issuer=env.text("AGENT_KEYS_ISSUER"),
        audience=env.text("AGENT_KEYS_AUDIENCE"),
    )
