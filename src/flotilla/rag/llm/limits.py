"""The requests and tokens a minute that the fleet sends to a provider: token buckets in Redis.

A bucket holds a sixth of a minute's worth and fills evenly, so that no minute sees more than a
sixth above its limit. Who finds too little in it takes what is needed all the same and waits until
it would have been there: those who come later wait behind.
"""

from flotilla.rag.llm.fleet_state import FleetState
from flotilla.settings import LLMSettings

KEPT_SECONDS = 3600
"""For which Redis keeps a bucket that nobody uses: it has long been full again."""

_LEVEL = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function level_of(key, limit)
  local capacity = math.max(1, limit / 6)
  local found = redis.call('HMGET', key, 'level', 'at')
  if not found[1] then return capacity, capacity end
  local filled = tonumber(found[1]) + (now - tonumber(found[2])) * limit / 60
  return math.min(capacity, filled), capacity
end
local function keep(key, level)
  redis.call('HSET', key, 'level', tostring(level), 'at', tostring(now))
  redis.call('EXPIRE', key, ARGV[#ARGV])
end
"""

# ARGV: for each bucket its limit a minute and what is needed; the longest wait; seconds kept.
# Returns whether it was taken, and seconds to wait.
_TAKE = (
    _LEVEL
    + """
local longest, wait, levels = tonumber(ARGV[#ARGV - 1]), 0, {}
for index, key in ipairs(KEYS) do
  local limit, needed = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
  local level, capacity = level_of(key, limit)
  levels[index] = level
  wait = math.max(wait, (math.min(needed, capacity) - level) * 60 / limit)
end
if wait > longest then return {0, tostring(wait)} end
for index, key in ipairs(KEYS) do keep(key, levels[index] - tonumber(ARGV[2 * index])) end
return {1, tostring(wait)}
"""
)

# ARGV: the limit a minute, what is given back, which may be less than 0, seconds kept.
_GIVE_BACK = (
    _LEVEL
    + """
local level, capacity = level_of(KEYS[1], tonumber(ARGV[1]))
keep(KEYS[1], math.min(capacity, level + tonumber(ARGV[2])))
return 'kept'
"""
)


class Limits:
    """Holds the fleet to what it may send to a provider; safe between threads and processes.

    Args:
        state: of the fleet. While it cannot be asked, every request goes through.
        settings: requests and tokens a minute, which count for each provider by itself.
    """

    def __init__(self, state: FleetState, settings: LLMSettings) -> None:
        self._state = state
        self._requests = settings.requests_per_minute
        self._tokens = settings.tokens_per_minute

    def take(self, provider: str, tokens: int, longest: float) -> tuple[bool, float]:
        """Take one request and its tokens.

        Returns:
            whether they were taken, and the seconds that the request has to wait. Nothing is
            taken where that is more than `longest`.
        """
        keys, known = self._buckets(provider, tokens)
        if not keys:
            return True, 0.0
        found = self._state.run(_TAKE, keys, [*known, longest, KEPT_SECONDS])
        return (True, 0.0) if found is None else (bool(int(found[0])), float(found[1]))

    def correct(self, provider: str, taken: int, used: int) -> None:
        """Put right what was taken once it is known what was used, both in tokens."""
        if self._tokens and taken != used:
            keys = [self._key(provider, "tokens")]
            self._state.run(_GIVE_BACK, keys, [self._tokens, taken - used, KEPT_SECONDS])

    def _buckets(self, provider: str, tokens: int) -> tuple[list[str], list[str | int | float]]:
        keys: list[str] = []
        known: list[str | int | float] = []
        for name, limit, needed in (
            ("requests", self._requests, 1),
            ("tokens", self._tokens, tokens),
        ):
            if limit:
                keys.append(self._key(provider, name))
                known += [limit, needed]
        return keys, known

    @staticmethod
    def _key(provider: str, bucket: str) -> str:
        return f"flotilla:llm:limit:{{{provider}}}:{bucket}"
