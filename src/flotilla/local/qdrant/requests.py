"""What each request of Qdrant's REST API does to the store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import qdrant_edge as edge

from flotilla.local.qdrant import points
from flotilla.local.qdrant.errors import BadRequest, Missing, Unimplemented, parsing
from flotilla.local.qdrant.query import (
    DEFAULT_LIMIT,
    Json,
    present,
    refuse,
    to_filter,
    to_order,
    to_payload_selector,
    to_query_request,
)
from flotilla.local.qdrant.room import require_room
from flotilla.local.qdrant.schema import collection_info, to_index
from flotilla.local.qdrant.shard import Shard
from flotilla.local.qdrant.store import Store


@dataclass(frozen=True)
class Call:
    """One request: the store that it goes to, its path, its query string and its body."""

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes

    @property
    def name(self) -> str:
        """The collection's name in the path."""
        return self.path["name"]

    @property
    def shard(self) -> Shard:
        """The collection's shard.

        Raises:
            Missing: there is no such collection.
        """
        return self.store[self.name]

    def body(self) -> dict[str, Any]:
        """The decoded body.

        Raises:
            BadRequest: it is no JSON object.
        """
        with parsing():
            body = orjson.loads(self.content) if self.content else {}
        if not isinstance(body, dict):
            raise BadRequest("Format error in JSON body: expected an object")
        return body


Handler = Callable[[Call], Json]


# --- collections ---------------------------------------------------------------------------


def list_collections(call: Call) -> Json:
    return {"collections": [{"name": name} for name in call.store.names()]}


def create_collection(call: Call) -> Json:
    call.store.create(call.name, call.body())
    return True


def get_collection(call: Call) -> Json:
    shard = call.shard
    with shard.reading() as engine:
        return collection_info(shard.created, engine)


def collection_exists(call: Call) -> Json:
    return {"exists": call.name in call.store}


def delete_collection(call: Call) -> Json:
    return call.store.delete(call.name)


def list_aliases(call: Call) -> Json:
    if "name" in call.path and call.name not in call.store:
        raise Missing(f"Not found: Collection `{call.name}` doesn't exist!")
    found = call.store.aliases(call.path.get("name"))
    return {"aliases": [{"alias_name": a, "collection_name": name} for a, name in found]}


def change_aliases(call: Call) -> Json:
    with parsing():
        actions = call.body()["actions"]
    call.store.change_aliases(actions)
    return True


# --- updates -------------------------------------------------------------------------------


def update(
    call: Call,
    convert: Callable[[Json], list[edge.UpdateOperation]],
    *,
    many: bool = False,
    removal: bool = False,
) -> Json:
    """Apply the updates that `convert` makes of the body; `many` gives a result for each.

    `removal` says that they store nothing, so that they may be applied on a full disk.
    """
    shard, body = call.shard, call.body()
    with parsing():
        operations = convert(body)
    require_room(shard.folder, len(call.content), removal=removal)
    waited = call.query.get("wait") == "true"
    status = "completed" if waited else "acknowledged"
    numbers = shard.update(operations, _size(body))
    results = [{"operation_id": number, "status": status} for number in numbers]
    return results if many else results[0]


def _size(body: Json) -> int:
    """About how many points an update touches: what it lists, or one for a filter."""
    if "operations" in body:
        return sum(_size(part) for one in body["operations"] for part in one.values())
    if isinstance(body.get("batch"), dict):
        return len(body["batch"]["ids"])
    return len(body.get("points") or (None,))


def _one(convert: Callable[[Json], edge.UpdateOperation], *, removal: bool = False) -> Handler:
    return partial(update, convert=lambda body: [convert(body)], removal=removal)


def _create_index(body: Json) -> edge.UpdateOperation:
    members = present(body)
    if "field_schema" not in members:
        raise Unimplemented("an index without field_schema")
    return edge.UpdateOperation.create_field_index(
        members["field_name"], to_index(members["field_schema"])
    )


def delete_index(call: Call) -> Json:
    field = call.path["field"]
    return update(call, lambda _: [edge.UpdateOperation.delete_field_index(field)])


# --- reads ---------------------------------------------------------------------------------


def retrieve(call: Call) -> Json:
    shard, body = call.shard, present(call.body())
    refuse(body, "shard_key")
    with parsing():
        ids = list(body["ids"])
        payload = to_payload_selector(body.get("with_payload", True))
    with shard.reading() as engine:
        found = engine.retrieve(ids, payload, body.get("with_vector", False))
    # The engine gives them in an order of its own.
    position = {str(one): place for place, one in enumerate(ids)}
    found.sort(key=lambda one: position.get(str(one.id), len(ids)))
    return [points.record(one) for one in found]


def get_point(call: Call) -> Json:
    point: int | str = call.path["point"]
    with parsing():
        point = int(point) if str(point).isdecimal() else point
    with call.shard.reading() as engine:
        found = engine.retrieve([point], True, True)
    if not found:
        raise Missing(f"Not found: Point with id {point} does not exists!")
    return points.record(found[0])


def scroll(call: Call) -> Json:
    shard, body = call.shard, present(call.body())
    refuse(body, "shard_key")
    with parsing():
        request = edge.ScrollRequest(
            offset=body.get("offset"),
            limit=body.get("limit", DEFAULT_LIMIT),
            filter=to_filter(body.get("filter")),
            with_payload=to_payload_selector(body.get("with_payload", True)),
            with_vector=body.get("with_vector", False),
            order_by=to_order(body["order_by"]) if "order_by" in body else None,
        )
    with shard.reading() as engine:
        found, following = engine.scroll(request)
    return {"points": [points.record(one) for one in found], "next_page_offset": following}


def count(call: Call) -> Json:
    shard, body = call.shard, present(call.body())
    refuse(body, "shard_key")
    with parsing():
        request = edge.CountRequest(
            exact=body.get("exact", True), filter=to_filter(body.get("filter"))
        )
    with shard.reading() as engine:
        return {"count": engine.count(request)}


def facet(call: Call) -> Json:
    shard, body = call.shard, present(call.body())
    refuse(body, "shard_key")
    with parsing():
        request = edge.FacetRequest(
            key=body["key"],
            limit=body.get("limit", DEFAULT_LIMIT),
            exact=body.get("exact", False),
            filter=to_filter(body.get("filter")),
        )
    with shard.reading() as engine:
        hits = list(engine.facet(request))
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits]}


def query(call: Call) -> Json:
    shard, body = call.shard, call.body()
    with parsing():
        request = to_query_request(body, shard.vector_of)
    with shard.reading() as engine:
        found = engine.query(request)
    return {"points": [points.scored_point(one) for one in found]}


def query_batch(call: Call) -> Json:
    shard, body = call.shard, call.body()
    with parsing():
        requests = [to_query_request(one, shard.vector_of) for one in body["searches"]]
    with shard.reading() as engine:
        answers = engine.query_batch(edge.QueryBatchRequest(requests))
    return [{"points": [points.scored_point(one) for one in found]} for found in answers]


COLLECTION = "/collections/{name}"
POINTS = f"{COLLECTION}/points"

REQUESTS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{POINTS}/query/batch", query_batch),  # the router goes by this order
    ("POST", POINTS, retrieve),
    ("GET", "/collections", list_collections),
    ("POST", "/collections/aliases", change_aliases),
    ("GET", "/aliases", list_aliases),
    ("PUT", COLLECTION, create_collection),
    ("GET", COLLECTION, get_collection),
    ("DELETE", COLLECTION, delete_collection),
    ("GET", f"{COLLECTION}/exists", collection_exists),
    ("GET", f"{COLLECTION}/aliases", list_aliases),
    ("PUT", f"{COLLECTION}/index", _one(_create_index)),
    ("DELETE", f"{COLLECTION}/index/{{field}}", delete_index),
    ("POST", f"{COLLECTION}/facet", facet),
    ("PUT", POINTS, _one(points.upsert)),
    ("POST", f"{POINTS}/delete", _one(points.delete, removal=True)),
    ("POST", f"{POINTS}/payload", _one(points.set_payload)),
    ("PUT", f"{POINTS}/payload", _one(points.overwrite_payload)),
    ("POST", f"{POINTS}/payload/delete", _one(points.delete_payload)),
    ("POST", f"{POINTS}/payload/clear", _one(points.clear_payload)),
    ("PUT", f"{POINTS}/vectors", _one(points.update_vectors)),
    ("POST", f"{POINTS}/vectors/delete", _one(points.delete_vectors)),
    ("POST", f"{POINTS}/batch", partial(update, convert=points.batch, many=True)),
    ("POST", f"{POINTS}/scroll", scroll),
    ("POST", f"{POINTS}/count", count),
    ("POST", f"{POINTS}/query", query),
    ("GET", f"{POINTS}/{{point}}", get_point),
)
"""Method, path and handler of every request that the node implements."""

QUICK = frozenset((retrieve, query, query_batch))
"""What a question waits for; milliseconds each."""
