"""Points: from the JSON of Qdrant's REST API to the engine's updates, and back to JSON."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from flotilla.local.qdrant.errors import BadRequest
from flotilla.local.qdrant.query import Json, present, refuse, to_filter, to_vector

Update = edge.UpdateOperation
UPDATE_MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


# --- updates -------------------------------------------------------------------------------


def upsert(body: Json) -> Update:
    """`PUT /points`: a list of points, or a batch of ids, vectors and payloads as columns."""
    members = present(body)
    refuse(members, "shard_key")
    points = _rows(members["batch"]) if "batch" in members else _points(members["points"])
    return Update.upsert_points(
        points,
        condition=to_filter(members.get("update_filter")),
        update_mode=UPDATE_MODES[members.get("update_mode", "upsert")],
    )


def delete(body: Json) -> Update:
    """`POST /points/delete`, by ids or by filter."""
    ids, found = _selected(body)
    return Update.delete_points_by_filter(found) if found else Update.delete_points(ids)


def set_payload(body: Json) -> Update:
    """`POST /points/payload`: merge into the payload."""
    ids, found = _selected(body)
    payload, key = _payload(body["payload"]), body.get("key")
    if found:
        return Update.set_payload_by_filter(found, payload, key)
    return Update.set_payload(ids, payload, key)


def overwrite_payload(body: Json) -> Update:
    """`PUT /points/payload`: replace the payload."""
    ids, found = _selected(body)
    payload, key = _payload(body["payload"]), body.get("key")
    if found:
        return Update.overwrite_payload_by_filter(found, payload, key)
    return Update.overwrite_payload(ids, payload, key)


def delete_payload(body: Json) -> Update:
    """`POST /points/payload/delete`: take fields out of the payload."""
    ids, found = _selected(body)
    if found:
        return Update.delete_payload_by_filter(found, body["keys"])
    return Update.delete_payload(ids, body["keys"])


def clear_payload(body: Json) -> Update:
    """`POST /points/payload/clear`."""
    ids, found = _selected(body)
    return Update.clear_payload_by_filter(found) if found else Update.clear_payload(ids)


def update_vectors(body: Json) -> Update:
    """`PUT /points/vectors`: replace the named vectors, keep the others."""
    members = present(body)
    refuse(members, "shard_key")
    vectors = [edge.PointVectors(one["id"], _vectors(one["vector"])) for one in members["points"]]
    return Update.update_vectors(vectors, condition=to_filter(members.get("update_filter")))


def delete_vectors(body: Json) -> Update:
    """`POST /points/vectors/delete`."""
    ids, found = _selected(body)
    if found:
        return Update.delete_vectors_by_filter(found, body["vector"])
    return Update.delete_vectors(ids, body["vector"])


UPDATES: dict[str, Callable[[Json], Update]] = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}
"""Every update by its name in `POST /points/batch`."""


def batch(body: Json) -> list[Update]:
    """`POST /points/batch`: updates in the order in which they are to be applied."""
    updates = []
    for operation in body["operations"]:
        ((name, part),) = present(operation).items()
        if name not in UPDATES:
            raise BadRequest(f"Format error in JSON body: no such operation {name!r}")
        updates.append(UPDATES[name](part))
    return updates


def _selected(body: Json) -> tuple[Any, edge.Filter | None]:
    members = present(body)
    refuse(members, "shard_key")
    if "points" in members:
        return members["points"], None
    if "filter" in members:
        return [], to_filter(members["filter"])
    raise BadRequest("Wrong input: either points or a filter has to be given")


def _points(bodies: Json) -> list[edge.Point]:
    if not bodies:
        raise BadRequest("Wrong input: Empty update request")
    return [
        edge.Point(one["id"], _vectors(one["vector"]), _payload(one.get("payload") or {}))
        for one in bodies
    ]


def _rows(columns: Json) -> list[edge.Point]:
    ids, vectors = columns["ids"], columns["vectors"]
    payloads = columns.get("payloads") or [None] * len(ids)
    named = vectors.items() if isinstance(vectors, dict) else [("", vectors)]
    lengths = {len(payloads), *(len(column) for _, column in named)}
    if lengths != {len(ids)}:
        raise BadRequest("Wrong input: ids, vectors and payloads must be of the same length")
    rows = [{name: column[row] for name, column in named} for row in range(len(ids))]
    return _points(
        [
            {"id": one, "vector": row if isinstance(vectors, dict) else row[""], "payload": payload}
            for one, row, payload in zip(ids, rows, payloads, strict=True)
        ]
    )


def _vectors(body: Json) -> Any:
    if isinstance(body, dict) and body.keys() != {"indices", "values"}:
        return {name: to_vector(vector) for name, vector in body.items()}
    return to_vector(body)


def _payload(body: Json) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest(f"Format error in JSON body: a payload is an object, not {body!r:.80}")
    return body


# --- results -------------------------------------------------------------------------------


def record(found: Any) -> Json:
    """A point as retrieve and scroll give it, without what was not asked for."""
    body = {"id": found.id}
    _add(found, body)
    return body


def scored_point(found: Any) -> Json:
    """A point as a query gives it."""
    body = {"id": found.id, "version": found.version, "score": found.score}
    _add(found, body)
    return body


def _add(found: Any, body: dict[str, Any]) -> None:
    payload, vector, order = found.payload, found.vector, found.order_value
    if payload is not None:
        body["payload"] = payload
    if vector is not None:
        body["vector"] = vector
    if order is not None:
        body["order_value"] = order


def encode(value: Any) -> Json:
    """What orjson does not know: the engine's sparse vectors.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, edge.SparseVector):
        return {"indices": value.indices, "values": value.values}
    raise TypeError(f"{type(value).__name__} has no JSON form")
