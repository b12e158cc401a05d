import pytest
from pydantic import ValidationError

from flotilla.schemas.models import MigrationRequest


@pytest.mark.parametrize(
    "name", ["BAAI/bge-m3", "fastembed:BAAI/bge-m3@int8", "BAAI/bge-m3@int8", "openai:embed.v3"]
)
def test_models_that_may_be_asked_for(name: str) -> None:
    assert MigrationRequest(model=name).model == name


@pytest.mark.parametrize("name", ["", "a/b/c", "../b", "a/b@int4", "a/b@int8@int8", "@int8"])
def test_what_is_no_models_name(name: str) -> None:
    with pytest.raises(ValidationError):
        MigrationRequest(model=name)
