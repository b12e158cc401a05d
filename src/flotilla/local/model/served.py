"""`flotilla models pull` for an embedding model that a server embeds with."""

from threading import Thread

from flotilla.local.model.pull import HUB_PATIENCE
from flotilla.remote_tokens import fetch_tables
from flotilla.settings import Settings
from flotilla.vectorstore.embedders import dimensions_of


def ask_server(settings: Settings) -> int:
    """Have the server embed a word, and return how many dimensions it replies with.

    What tiktoken counts the model's tokens with is brought along, should the web have it; without
    it tokens are estimated.

    Raises:
        ConfigurationError: there is neither a key nor a server's address.
        DependencyUnavailable: the server does not reply.
        ModelRejected: the server refuses the request.
    """
    model = settings.embedding.model
    fetching = Thread(target=fetch_tables, args=(model,), daemon=True)
    fetching.start()
    dimensions = dimensions_of(settings, model)
    fetching.join(HUB_PATIENCE)
    return dimensions
