"""The two scripts that several gateways count by; each runs as a whole, by the server's own clock.

Every meter of a call is one key with four arguments: its kind (`r` a rate, `p` places, `s` a sum), its limit, the
units, and for a sum what it begins with if the server does not know it yet (`?` for: ask me). A rate is kept as
what is missing, in units of a minute's microseconds, and when that was; all of it fits 53 bits, so the
bound is as exact as in process (up to 100 million a minute). A clock that goes back gives nothing away.
"""

from __future__ import annotations

AGED = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local unit = 60000000
local function keep(key, limit, missing)
  if missing <= 0 or limit <= 0 then redis.call('DEL', key) return end
  redis.call('SET', key, string.format('%.0f %.0f', missing, now), 'PX', math.ceil(missing / limit / 1000) + 1000)
end
local function aged(key, limit)
  local kept = redis.call('GET', key)
  if not kept then return 0 end
  local missing, since = string.match(kept, '^(%d+) (%d+)$')
  missing, since = tonumber(missing), tonumber(since)
  if since > now then keep(key, limit, missing) end
  if now > since and limit > 0 then
    missing = missing - math.min(now - since, math.ceil(missing / limit)) * limit
  end
  return math.max(0, missing)
end
"""

TAKE = (
    AGED
    + """
local call, longest = ARGV[1], tonumber(ARGV[2])
local states, refused, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local at = 4 * i - 1
  local kind, limit, units = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local full, pause = false, 1000000
  if kind == 'r' then
    states[i] = aged(key, limit)
    local over = states[i] + (math.min(units, limit) - limit) * unit
    full = limit == 0 or over > 0
    pause = limit > 0 and math.ceil(over / limit) or unit
  elseif kind == 'p' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    states[i] = redis.call('ZCARD', key)
    full = states[i] >= limit
  else
    local used = redis.call('GET', key) or ARGV[at + 3]
    if used == '?' then return {-i, 0} end
    states[i] = tonumber(used)
    full = states[i] + units > limit
  end
  if full and refused == 0 then refused, wait = i, pause end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local at = 4 * i - 1
    local kind, limit, units = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    if kind == 'r' then
      keep(key, limit, states[i] + units * unit)
    elseif kind == 'p' then
      redis.call('ZADD', key, now + longest, call)
      redis.call('PEXPIRE', key, math.ceil(longest / 1000) + 1000)
    else
      redis.call('SET', key, string.format('%.0f', states[i] + units), 'EX', 3456000)
    end
  end
end
return {refused, wait, unpack(states)}
"""
)
"""Takes a call from every meter or from none. Returns which refused (0: none; -i: sum i is not known), the
microseconds to wait, and how every meter stood before."""

SETTLE = (
    AGED
    + """
for i, key in ipairs(KEYS) do
  local at = 4 * i - 1
  local kind, limit, units = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if kind == 'r' then
    if units ~= 0 then keep(key, limit, aged(key, limit) + units * unit) end
  elseif kind == 'p' then
    redis.call('ZREM', key, ARGV[1])
  elseif units ~= 0 and redis.call('EXISTS', key) == 1 then
    if redis.call('INCRBY', key, units) < 0 then redis.call('SET', key, 0, 'KEEPTTL') end
  end
end
return 1
"""
)
"""Frees a call's place and charges what it used beyond what it held (`units`; less is given back)."""

SCRIPTS = {"take": TAKE, "settle": SETTLE}
