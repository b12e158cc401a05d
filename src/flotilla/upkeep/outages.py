"""What goes wrong for everything that upkeep does, and not for one job alone."""

import redis
from kombu.exceptions import OperationalError

from flotilla.errors import DependencyUnavailable

OUTAGES = (DependencyUnavailable, OperationalError, redis.RedisError)
"""Raised while the ledger, the broker or Redis is away: what comes next would meet the same."""
