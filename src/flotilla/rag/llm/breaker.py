"""The circuit breaker of each model, which the whole fleet shares through Redis.

Closed, every request goes through. N failures within the window open it, unless as many of the last
2N requests succeeded: then no request goes through for a while. After that it is half open: one
request of the fleet goes through as a probe, whose success closes it and whose failure opens it
anew. A probe whose worker dies is forgotten when its time is over. Times are Redis' own, so that
the clocks of machines do not matter.
"""

import uuid
from dataclasses import dataclass

from flotilla.logging import get_logger
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.settings import LLMSettings

logger = get_logger(__name__)

KEPT_SECONDS = 3600
"""For which Redis keeps the state of a model that nobody asks any more."""

_NOW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until') or '')
"""

# ARGV: token, seconds of a probe. Returns whether the request may go on, and seconds to wait.
_ALLOW = (
    _NOW
    + """
if not open_until then return {1, '0'} end
if now < open_until then return {0, tostring(open_until - now)} end
local probe_until = tonumber(redis.call('HGET', KEYS[1], 'probe_until') or '')
if probe_until and now < probe_until then return {0, tostring(probe_until - now)} end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'probe_until', now + tonumber(ARGV[2]))
return {1, '0'}
"""
)

# ARGV: token, 1 for a success or 0, failures, window, seconds open, seconds kept.
_RECORD = (
    _NOW
    + """
local function open()
  redis.call('HSET', KEYS[1], 'open_until', now + tonumber(ARGV[5]))
  redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('DEL', KEYS[2])
  return 'opened'
end
local success = ARGV[2] == '1'
if open_until then
  if redis.call('HGET', KEYS[1], 'probe') ~= ARGV[1] then return 'late' end
  if not success then return open() end
  redis.call('DEL', KEYS[1])
  return 'closed'
end
if success and redis.call('EXISTS', KEYS[2]) == 0 then return 'kept' end
local most = tonumber(ARGV[3])
redis.call('LPUSH', KEYS[2], success and 'success' or tostring(now))
redis.call('LTRIM', KEYS[2], 0, 2 * most - 1)
redis.call('EXPIRE', KEYS[2], ARGV[6])
local failures = 0
for _, outcome in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  local at = tonumber(outcome)
  if at and now - at <= tonumber(ARGV[4]) then failures = failures + 1 end
end
if failures >= most then return open() end
return 'kept'
"""
)

# ARGV: token.
_RELEASE = """
if redis.call('HGET', KEYS[1], 'probe') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
end
return 'released'
"""


@dataclass(frozen=True)
class Permit:
    """Whether a request may go to a model; where not, `wait` seconds until one may again."""

    key: str
    token: str
    allowed: bool
    wait: float = 0.0


class Breaker:
    """Tells of each model whether it is asked; safe between threads and processes.

    Args:
        state: of the fleet. While it cannot be asked, every request goes through.
        settings: how many failures open it, and for how long.
    """

    def __init__(self, state: FleetState, settings: LLMSettings) -> None:
        self._state = state
        self._failures = settings.breaker_failures
        self._window = settings.breaker_window
        self._open = settings.breaker_open

    def allow(self, key: str, seconds: float) -> Permit:
        """Ask for a request to the model `key`, which takes `seconds` at most."""
        token = uuid.uuid4().hex
        if not self._failures:
            return Permit(key, token, allowed=True)
        found = self._state.run(_ALLOW, self._keys(key), [token, seconds])
        if found is None or int(found[0]):
            return Permit(key, token, allowed=True)
        return Permit(key, token, allowed=False, wait=float(found[1]))

    def record(self, permit: Permit, *, healthy: bool | None) -> None:
        """Say what came of a request; `healthy` is None where nothing can be said."""
        if not self._failures:
            return
        if healthy is None:
            self._state.run(_RELEASE, self._keys(permit.key), [permit.token])
            return
        known: list[str | int | float] = [permit.token, int(healthy), self._failures]
        known += [self._window, self._open, max(KEPT_SECONDS, int(2 * self._open))]
        outcome = self._state.run(_RECORD, self._keys(permit.key), known)
        if outcome in ("opened", "closed"):
            logger.warning("model_breaker", model=permit.key, state=outcome)

    def _keys(self, key: str) -> list[str]:
        # The braces keep both in one slot of a cluster.
        base = f"flotilla:llm:breaker:{{{key}}}"
        return [base, f"{base}:outcomes"]
