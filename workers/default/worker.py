"""The default fleet: finish, fail, beat's tasks and the smoke tests.

Run one worker of it with the fleet's own queue, pool and limits by
`celery -A workers.default.worker worker`, or by `flotilla worker default`.
"""

from flotilla.broker import fleet_app

app = fleet_app("default")
