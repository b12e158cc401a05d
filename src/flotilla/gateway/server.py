"""The HTTP server of one gateway process."""

import contextlib
import socket

import uvicorn
from fastapi import FastAPI

GRACE_SECONDS = 10  # in which requests may end after the process was told to stop
START_FAILED = 3  # exit code


class Server(uvicorn.Server):
    """Ends event streams first when it is told to stop: they last as long as the tasks that they
    tell of, and their clients go on at the next gateway."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.feeds.end_all()
        self._app.state.services.answers.end_all()
        await super().shutdown(sockets)


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve the app in this process until it is told to stop."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        # The quicker parser loses the body of a request that offers an upgrade, as Java's client
        # offers HTTP/2 with each; and no WebSocket is spoken here, so none is waited for.
        http="h11",
        ws="none",
    )
    server = Server(config, app)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(START_FAILED)
