"""The rag fleet: retrieve and answer.

Run one worker of it with the fleet's own queue, pool and limits by
`celery -A workers.rag.worker worker`, or by `flotilla worker rag`.
"""

from flotilla.broker import fleet_app

app = fleet_app("rag")
