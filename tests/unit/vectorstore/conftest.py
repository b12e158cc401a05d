"""The embedding model, pulled once into the folder where users have it."""

import pytest

from flotilla.local.model.pull import pull
from flotilla.settings import Settings
from flotilla.vectorstore.embedders import load_embedder
from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder


@pytest.fixture(scope="session")
def model_settings() -> Settings:
    settings = Settings()
    pull(settings)
    return settings


@pytest.fixture(scope="session")
def embedder(model_settings: Settings) -> FastembedEmbedder:
    return load_embedder(model_settings, threads=1)
