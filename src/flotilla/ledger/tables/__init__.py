"""The ledger's tables.

Times are UTC. Ids are UUID7, so that their order is the order of creation and a cursor is an id.
"""

from flotilla.ledger.tables.base import Table, UTCDateTime
from flotilla.ledger.tables.conversations import CONVERSATIONS, MESSAGES
from flotilla.ledger.tables.documents import COLLECTIONS, DOCUMENTS, TENANTS, VERSIONS
from flotilla.ledger.tables.jobs import FAILURES, JOBS, STEPS
from flotilla.ledger.tables.spaces import SPACES
from flotilla.ledger.tables.webhooks import SIGNING_SECRETS, WEBHOOK_DELIVERIES, WEBHOOKS

__all__ = [
    "COLLECTIONS",
    "CONVERSATIONS",
    "DOCUMENTS",
    "FAILURES",
    "JOBS",
    "MESSAGES",
    "SIGNING_SECRETS",
    "SPACES",
    "STEPS",
    "TENANTS",
    "VERSIONS",
    "WEBHOOKS",
    "WEBHOOK_DELIVERIES",
    "Table",
    "UTCDateTime",
]
