"""`POST /api/agent-gateway/sessions/`: a web page opens a chat session with a publishable key."""

from __future__ import annotations

from datetime import datetime

import msgspec

from agentmart.contracts.grants import Grant
from agentmart.gateway.door import Door
from agentmart.gateway.grants import Grants
from agentmart.gateway.http import Exchange, json_reply
from agentmart.gateway.keys import Caller, check_agent, check_grant
from agentmart.gateway.messages import agent_id, check_json, decode
from agentmart.gateway.settings import GatewaySettings

MAX_BODY = 16 * 1024


class _Body(msgspec.Struct):
    config_id: str
    token: str | None = None


_decoder = msgspec.json.Decoder(_Body)


class Sessions:
    """Opens chat sessions, and renews their tokens."""

    def __init__(self, settings: GatewaySettings, door: Door, grants: Grants) -> None:
        self._settings = settings
        self._door = door
        self._grants = grants

    async def open(self, exchange: Exchange) -> None:
        """Answer with a token of a new session, or a new token of the session whose old one stands in `token`.

        Raises DomainError for every refusal.
        """
        self._door.count(exchange)
        now = self._settings.clock.now()
        caller = self._door.identify(exchange, now)
        exchange.facts["key_id"] = caller.claims.key_id.hex
        await self._granted(exchange, caller, now)
        body = await exchange.read_body(MAX_BODY, self._settings.body_timeout)
        check_json(exchange.header)
        wanted = decode(_decoder, body)
        now = self._settings.clock.now()
        grant = await self._granted(
            exchange, caller, now
        )  # again: it may have been revoked while the body came
        check_agent(grant, agent_id(wanted.config_id))
        origin = exchange.header("origin") or ""
        token, session = self._door.tokens.open(grant, origin, now, again=wanted.token)
        ends = self._door.tokens.end_of(session, now)
        content = {
            "token": token,
            "token_type": "Bearer",
            "session_id": session.id,
            "config_id": grant.config_id.hex,
            "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "expires_in": int((ends - now).total_seconds()),
        }
        await exchange.reply(json_reply(201, content))

    async def _granted(self, exchange: Exchange, caller: Caller, now: datetime) -> Grant:
        """Return the Grant of a publishable key that may open sessions from there."""
        grant = check_grant(caller, await self._grants.find(caller.claims.key_id), now)
        exchange.facts["config_id"] = grant.config_id.hex
        self._door.admit_page(exchange, caller, grant)
        return grant
