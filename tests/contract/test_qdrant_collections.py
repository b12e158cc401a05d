"""What Flotilla expects of Qdrant's collections and their indexes and aliases, wherever it runs."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.contract.points import POINTS, field, find, make, status_of

# --- service -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["healthz", "readyz", "livez"])
def test_health(qdrant_url: str, path: str) -> None:
    answer = httpx.get(f"{qdrant_url}/{path}")
    assert answer.status_code == 200
    assert "passed" in answer.text or "ready" in answer.text


def test_version_is_the_clients(qdrant: QdrantClient) -> None:
    info = qdrant.info()
    assert "qdrant" in info.title
    assert info.version.startswith("1.")


# --- collections ---------------------------------------------------------------------------


def test_collection_info(qdrant: QdrantClient, fixed: str) -> None:
    info = qdrant.get_collection(fixed)
    assert info.points_count == len(POINTS)
    assert info.status in (models.CollectionStatus.GREEN, models.CollectionStatus.YELLOW)
    vectors = info.config.params.vectors
    assert isinstance(vectors, dict)
    assert (vectors["dense"].size, vectors["dense"].distance) == (2, models.Distance.COSINE)
    assert vectors["flat"].distance == models.Distance.EUCLID
    assert vectors["multi"].multivector_config is not None
    sparse = info.config.params.sparse_vectors
    assert sparse is not None
    assert sparse["sparse"].modifier == models.Modifier.IDF
    types = {name: one.data_type.value for name, one in info.payload_schema.items()}
    assert types == {
        "tenant": "keyword",
        "n": "integer",
        "price": "float",
        "live": "bool",
        "when": "datetime",
        "doc": "uuid",
        "text": "text",
    }
    assert info.payload_schema["tenant"].params.is_tenant is True
    assert info.payload_schema["text"].params.tokenizer == models.TokenizerType.WORD
    assert info.payload_schema["price"].points == 3


def test_collections_are_made_listed_and_deleted(
    qdrant: QdrantClient, unique: Callable[[], str]
) -> None:
    name = unique()
    assert not qdrant.collection_exists(name)
    vectors = models.VectorParams(size=3, distance=models.Distance.DOT)
    assert qdrant.create_collection(name, vectors_config=vectors)
    assert qdrant.collection_exists(name)
    assert name in [one.name for one in qdrant.get_collections().collections]
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.create_collection(name, vectors_config=vectors)
    assert status_of(error) == 409
    assert qdrant.delete_collection(name)
    assert not qdrant.collection_exists(name)
    assert name not in [one.name for one in qdrant.get_collections().collections]


def test_unnamed_vector(qdrant: QdrantClient, unique: Callable[[], str]) -> None:
    name = unique()
    qdrant.create_collection(
        name, vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT)
    )
    qdrant.upsert(name, [models.PointStruct(id=i, vector=[float(i), 1.0]) for i in (1, 2, 3)])
    found = qdrant.query_points(name, query=[2.0, 1.0], with_vectors=True).points
    assert [(one.id, one.score, one.vector) for one in found] == [
        (3, 7.0, [3.0, 1.0]),
        (2, 5.0, [2.0, 1.0]),
        (1, 3.0, [1.0, 1.0]),
    ]
    params = qdrant.get_collection(name).config.params
    assert isinstance(params.vectors, models.VectorParams)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda client: client.get_collection("absent"),
        lambda client: client.count("absent"),
        lambda client: client.query_points("absent", query=[1.0]),
        lambda client: client.upsert("absent", [models.PointStruct(id=1, vector=[1.0])]),
        lambda client: client.delete("absent", points_selector=[1]),
    ],
)
def test_unknown_collection_is_404(qdrant: QdrantClient, request_of: Any) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        request_of(qdrant)
    assert status_of(error) == 404
    assert b"absent" in error.value.content


# --- aliases -------------------------------------------------------------------------------


def create_alias(name: str, alias: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
    )


def delete_alias(alias: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))


def test_alias_switches_between_collections(
    qdrant: QdrantClient, collection: str, unique: Callable[[], str]
) -> None:
    other, alias, renamed = unique(), unique(), unique()
    make(qdrant, other)
    qdrant.delete(other, points_selector=[1])
    qdrant.update_collection_aliases([create_alias(collection, alias)])
    assert qdrant.count(alias).count == 4
    assert qdrant.collection_exists(alias)
    # Both in one request: there is no moment without the alias.
    qdrant.update_collection_aliases([delete_alias(alias), create_alias(other, alias)])
    assert qdrant.count(alias).count == 3
    qdrant.update_collection_aliases(
        [
            models.RenameAliasOperation(
                rename_alias=models.RenameAlias(old_alias_name=alias, new_alias_name=renamed)
            )
        ]
    )
    assert not qdrant.collection_exists(alias)
    assert qdrant.get_collection(renamed).points_count == 3
    pairs = {(one.alias_name, one.collection_name) for one in qdrant.get_aliases().aliases}
    assert (renamed, other) in pairs
    assert alias not in {name for name, _ in pairs}
    assert [one.alias_name for one in qdrant.get_collection_aliases(other).aliases] == [renamed]
    assert qdrant.get_collection_aliases(collection).aliases == []
    assert renamed not in [one.name for one in qdrant.get_collections().collections]
    qdrant.update_collection_aliases([delete_alias(renamed)])
    assert not qdrant.collection_exists(renamed)


def test_alias_goes_with_its_collection(qdrant: QdrantClient, unique: Callable[[], str]) -> None:
    name, alias = unique(), unique()
    make(qdrant, name)
    qdrant.update_collection_aliases([create_alias(name, alias)])
    qdrant.delete_collection(name)
    assert not qdrant.collection_exists(alias)


def test_alias_of_nothing_is_404_and_changes_nothing(
    qdrant: QdrantClient, collection: str, unique: Callable[[], str]
) -> None:
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.update_collection_aliases([create_alias("absent", unique())])
    assert status_of(error) == 404


# --- payload indexes -----------------------------------------------------------------------


def test_index_is_made_over_what_is_there_and_deleted(
    qdrant: QdrantClient, collection: str
) -> None:
    qdrant.create_payload_index(collection, "meta.year", models.PayloadSchemaType.INTEGER)
    schema = qdrant.get_collection(collection).payload_schema
    assert schema["meta.year"].points == 2
    chosen = [field("meta.year", range=models.Range(gt=2020))]
    assert find(qdrant, collection, must=chosen) == [2]
    qdrant.delete_payload_index(collection, "meta.year")
    assert "meta.year" not in qdrant.get_collection(collection).payload_schema
    assert find(qdrant, collection, must=chosen) == [2]
