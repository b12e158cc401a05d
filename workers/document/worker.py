"""The document fleet: fetch, convert, split.

Run one worker of it with the fleet's own queue, pool and limits by
`celery -A workers.document.worker worker`, or by `flotilla worker document`.
"""

from flotilla.broker import fleet_app

app = fleet_app("document")
