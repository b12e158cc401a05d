"""Filters and queries: from the JSON of Qdrant's REST API to objects of its engine.

Each function takes the decoded JSON of the part that its name says. A part that the node does
not have raises `Unimplemented`; a malformed one raises `BadRequest`, or a TypeError, ValueError
or KeyError that `errors.parsing` turns into one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import qdrant_edge as edge

from flotilla.local.qdrant.errors import BadRequest, Unimplemented

Json = Any
VectorOf = Callable[[int | str, str | None], Any]
"""Gives the stored vector of a point, by its id and the vector's name."""

DEFAULT_LIMIT = 10  # of Qdrant's queries, prefetches, scrolls and facets
DEFAULT_RRF_K = 2  # of Qdrant's fusion `rrf` when no k is given
RECIPROCAL_RANKS = "rrf"


def _match_value(value: Any) -> edge.MatchValue:
    # The engine's binding takes Python's True for the integer 1, numpy's for what it is.
    return edge.MatchValue(np.bool_(value) if isinstance(value, bool) else value)  # type: ignore[arg-type]


MATCHES: dict[str, Callable[[Any], Any]] = {
    "value": _match_value,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
}
FILTER_KEYS = frozenset(("must", "should", "must_not", "min_should"))
FIELD_KEYS = frozenset(("key", "match", "range", "values_count", "is_empty", "is_null"))
BOUNDS = frozenset(("lt", "gt", "lte", "gte"))


def present(body: Json) -> dict[str, Any]:
    """The members of an object that are not null: clients send null for what is not set."""
    if not isinstance(body, dict):
        raise BadRequest(f"Format error in JSON body: expected an object, got {body!r:.80}")
    return {key: value for key, value in body.items() if value is not None}


def only(body: Json, known: frozenset[str], what: str) -> dict[str, Any]:
    """`present(body)`, whose keys are all known: a slip in a filter must not widen it."""
    members = present(body)
    unknown = members.keys() - known
    if unknown:
        raise BadRequest(f"Format error in JSON body: unknown {what} {min(unknown)!r}")
    return members


def refuse(body: dict[str, Any], *features: str) -> None:
    """Raise `Unimplemented` if the body asks for one of the features."""
    for feature in features:
        if body.get(feature) is not None:
            raise Unimplemented(feature)


# --- filters -------------------------------------------------------------------------------


def to_filter(body: Json) -> edge.Filter | None:
    """The filter, or None for none."""
    if body is None:
        return None
    members = only(body, FILTER_KEYS, "clause of a filter")
    min_should = members.pop("min_should", None)
    clauses: dict[str, Any] = {name: _conditions(value) for name, value in members.items()}
    if min_should is not None:
        clauses["min_should"] = edge.MinShould(
            _conditions(min_should["conditions"]), min_should["min_count"]
        )
    return edge.Filter(**clauses)


def _conditions(body: Json) -> list[Any]:
    return [_condition(one) for one in (body if isinstance(body, list) else [body])]


def _condition(body: Json) -> Any:
    members = present(body)
    if "key" in members:
        return _field_condition(members)
    if "has_id" in members:
        return edge.HasIdCondition(set(members["has_id"]))
    if "has_vector" in members:
        return edge.HasVectorCondition(members["has_vector"])
    if "is_empty" in members:
        return edge.IsEmptyCondition(members["is_empty"]["key"])
    if "is_null" in members:
        return edge.IsNullCondition(members["is_null"]["key"])
    if "nested" in members:
        inner = to_filter(members["nested"]["filter"])
        return edge.NestedCondition(members["nested"]["key"], inner or edge.Filter())
    refuse(members, "slice")
    return to_filter(members)


def _field_condition(members: dict[str, Any]) -> edge.FieldCondition:
    refuse(members, "geo_bounding_box", "geo_radius", "geo_polygon")
    only(members, FIELD_KEYS, "condition on a field")
    if len(members) == 1:
        raise BadRequest("Validation error in JSON body: at least one field condition is needed")
    parts = dict(members)
    if "match" in parts:
        parts["match"] = _match(parts["match"])
    if "range" in parts:
        parts["range"] = _range(parts["range"])
    if "values_count" in parts:
        parts["values_count"] = edge.ValuesCount(**only(parts["values_count"], BOUNDS, "bound"))
    return edge.FieldCondition(**parts)


def _match(body: Json) -> Any:
    members = present(body)
    for kind, value in members.items():
        if kind in MATCHES and len(members) == 1:
            return MATCHES[kind](value)
    raise BadRequest(f"Format error in JSON body: no such match {sorted(members)}")


def _range(body: Json) -> Any:
    bounds = only(body, BOUNDS, "bound of a range")
    if any(isinstance(bound, str) for bound in bounds.values()):
        return edge.RangeDateTime(**bounds)
    return edge.RangeFloat(**bounds)


# --- vectors and selectors -----------------------------------------------------------------


def to_vector(body: Json) -> Any:
    """One vector: a list of numbers, a list of such lists, or sparse indices and values."""
    if isinstance(body, list):
        return body
    members = present(body)
    if members.keys() != {"indices", "values"}:
        raise Unimplemented("inference") if members else BadRequest("Wrong input: empty vector")
    indices, values = members["indices"], members["values"]
    # The engine takes these two as they come and would store nonsense.
    if len(indices) != len(values):
        raise BadRequest("Validation error: indices and values must be of the same length")
    if len(set(indices)) != len(indices):
        raise BadRequest("Validation error: indices must be unique")
    return edge.SparseVector(indices, values)


def to_payload_selector(body: Json) -> Any:
    """`with_payload`: a bool, a list of fields, or what to include or exclude."""
    if not isinstance(body, dict):
        return body
    members = present(body)
    if "include" in members:
        return edge.PayloadSelector.Include(members["include"])
    return edge.PayloadSelector.Exclude(members["exclude"])


def to_order(body: Json) -> edge.OrderBy:
    """`order_by`: a field's name, or an object of key, direction and start_from."""
    if isinstance(body, str):
        return edge.OrderBy(body)
    members = present(body)
    descending = {"asc": False, "desc": True}[members.get("direction", "asc")]
    return edge.OrderBy(
        members["key"],
        edge.Direction.Desc if descending else edge.Direction.Asc,
        members.get("start_from"),
    )


# --- queries -------------------------------------------------------------------------------


def to_query_request(body: Json, vector_of: VectorOf) -> edge.QueryRequest:
    """A query of `/points/query`.

    Args:
        body: the request's JSON.
        vector_of: looks a stored vector up, for a query by a point's id.
    """
    members = present(body)
    refuse(members, "lookup_from", "shard_key")
    query, found = _query(members, vector_of)
    return edge.QueryRequest(
        limit=members.get("limit", DEFAULT_LIMIT),
        offset=members.get("offset", 0),
        query=query,
        prefetches=_prefetches(members, vector_of),
        with_vector=members.get("with_vector", False),
        with_payload=to_payload_selector(members.get("with_payload", False)),
        filter=found,
        score_threshold=members.get("score_threshold"),
        params=_search_params(members.get("params")),
    )


def _prefetches(members: dict[str, Any], vector_of: VectorOf) -> list[edge.Prefetch]:
    bodies = members.get("prefetch", [])
    return [_prefetch(one, vector_of) for one in (bodies if isinstance(bodies, list) else [bodies])]


def _prefetch(body: Json, vector_of: VectorOf) -> edge.Prefetch:
    members = present(body)
    refuse(members, "lookup_from")
    query, found = _query(members, vector_of)
    return edge.Prefetch(
        limit=members.get("limit", DEFAULT_LIMIT),
        query=query,
        prefetches=_prefetches(members, vector_of),
        params=_search_params(members.get("params")),
        filter=found,
        score_threshold=members.get("score_threshold"),
    )


def _query(members: dict[str, Any], vector_of: VectorOf) -> tuple[Any, edge.Filter | None]:
    """The scoring query and the filter; a query by id leaves that point itself out."""
    body, found = members.get("query"), to_filter(members.get("filter"))
    using = members.get("using", "")
    if isinstance(body, dict):
        body = present(body)
        refuse(body, "mmr")
        if "nearest" in body:
            body = body["nearest"]
    if body is None:
        return None, found
    if isinstance(body, int | str):
        excluded = edge.HasIdCondition({body})
        found = edge.Filter(must=[found] if found else None, must_not=[excluded])
        return edge.Query.Nearest(vector_of(body, using), using), found
    if isinstance(body, dict) and "indices" not in body:
        return _scoring(body), found
    return edge.Query.Nearest(to_vector(body), using), found


def _scoring(body: dict[str, Any]) -> Any:
    if "fusion" in body:
        fusions = {
            RECIPROCAL_RANKS: lambda: edge.Fusion.Rrf(k=DEFAULT_RRF_K),
            "dbsf": edge.Fusion.Dbsf,
        }
        return fusions[body["fusion"]]()
    if RECIPROCAL_RANKS in body:
        ranks = present(body[RECIPROCAL_RANKS])
        k = ranks.get("k", DEFAULT_RRF_K)
        if k < 1:
            raise BadRequest(f"Validation error in JSON body: rrf.k must be 1 or more, it is {k}")
        return edge.Fusion.Rrf(k=k, weights=ranks.get("weights"))
    if "order_by" in body:
        return to_order(body["order_by"])
    if "sample" in body:
        return {"random": edge.Sample.Random}[body["sample"]]
    raise Unimplemented(f"query {next(iter(body), '')!r}")


def _search_params(body: Json) -> edge.SearchParams | None:
    if body is None:
        return None
    members = present(body)
    parts: dict[str, Any] = {
        name: members[name] for name in ("hnsw_ef", "exact", "indexed_only") if name in members
    }
    if "quantization" in members:
        parts["quantization"] = edge.QuantizationSearchParams(**present(members["quantization"]))
    if "acorn" in members:
        parts["acorn"] = edge.AcornSearchParams(**present(members["acorn"]))
    if "idf" in members:
        parts["idf"] = edge.IdfParams(to_filter(members["idf"].get("corpus")))
    return edge.SearchParams(**parts)
