"""The vectorstore fleet: embed, index, publish, remove.

Run one worker of it with the fleet's own queue, pool and limits by
`celery -A workers.vectorstore.worker worker`, or by `flotilla worker vectorstore`.
"""

from flotilla.broker import fleet_app

app = fleet_app("vectorstore")
