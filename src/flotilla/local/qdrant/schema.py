"""A collection's configuration and payload indexes, between Qdrant's JSON and its engine."""

import enum
from typing import Any

import qdrant_edge as edge

from flotilla.local.qdrant.errors import BadRequest, Unimplemented
from flotilla.local.qdrant.query import Json, present, refuse

DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}
DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}

# The server's defaults, which a client's model requires to be stated.
HNSW_DEFAULTS = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
OPTIMIZER_DEFAULTS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "flush_interval_sec": 1,
}
OPTIMIZER_SETTINGS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
)

INDEXES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "keyword": (edge.KeywordIndexParams, ("is_tenant", "on_disk", "enable_hnsw", "prefix")),
    "uuid": (edge.UuidIndexParams, ("is_tenant", "on_disk", "enable_hnsw")),
    "integer": (
        edge.IntegerIndexParams,
        ("lookup", "range", "is_principal", "on_disk", "enable_hnsw"),
    ),
    "float": (edge.FloatIndexParams, ("is_principal", "on_disk", "enable_hnsw")),
    "datetime": (edge.DatetimeIndexParams, ("is_principal", "on_disk", "enable_hnsw")),
    "bool": (edge.BoolIndexParams, ("on_disk", "enable_hnsw")),
    "text": (
        edge.TextIndexParams,
        (
            "tokenizer",
            "min_token_len",
            "max_token_len",
            "lowercase",
            "ascii_folding",
            "phrase_matching",
            "on_disk",
            "enable_hnsw",
        ),
    ),
}
"""The payload indexes and the parameters of each that the node takes."""

TOKENIZERS = {
    "prefix": edge.TokenizerType.Prefix,
    "whitespace": edge.TokenizerType.Whitespace,
    "word": edge.TokenizerType.Word,
    "multilingual": edge.TokenizerType.Multilingual,
}


# --- collections ---------------------------------------------------------------------------


def to_edge_config(body: Json) -> edge.EdgeConfig:
    """The engine's configuration for the body of `PUT /collections/{name}`.

    Raises:
        Unimplemented: it asks for quantization, custom sharding or a strict mode.
    """
    members = present(body)
    refuse(members, "quantization_config", "sharding_method")
    if members.get("strict_mode_config", {}).get("enabled"):
        raise Unimplemented("strict_mode_config")
    vectors = members.get("vectors", {})
    if "size" in vectors:
        vectors = {"": vectors}
    optimizers = present(members.get("optimizers_config", {}))
    return edge.EdgeConfig(
        vectors={name: _dense(part) for name, part in vectors.items()},
        sparse_vectors={
            name: _sparse(part) for name, part in members.get("sparse_vectors", {}).items()
        },
        on_disk_payload=members.get("on_disk_payload"),
        hnsw_config=_hnsw(members.get("hnsw_config")),
        optimizers=edge.EdgeOptimizersConfig(
            **{name: optimizers[name] for name in OPTIMIZER_SETTINGS if name in optimizers}
        ),
    )


def _dense(body: Json) -> edge.EdgeVectorParams:
    members = present(body)
    refuse(members, "quantization_config")
    if members["distance"] not in DISTANCES:
        raise BadRequest(f"Format error in JSON body: no such distance {members['distance']!r}")
    multivector = members.get("multivector_config")
    return edge.EdgeVectorParams(
        members["size"],
        DISTANCES[members["distance"]],
        on_disk=members.get("on_disk"),
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
        if multivector
        else None,
        datatype=DATATYPES[members["datatype"]] if "datatype" in members else None,
        hnsw_config=_hnsw(members.get("hnsw_config")),
    )


def _sparse(body: Json) -> edge.EdgeSparseVectorParams:
    members = present(body or {})
    index = present(members.get("index", {}))
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=index.get("full_scan_threshold"),
        on_disk=index.get("on_disk"),
        modifier={"none": None, "idf": edge.Modifier.Idf}[members.get("modifier", "none")],
        datatype=DATATYPES[index["datatype"]] if "datatype" in index else None,
    )


def _hnsw(body: Json) -> edge.HnswIndexConfig | None:
    members = present(body or {})
    if not members:
        return None
    known = ("max_indexing_threads", "on_disk", "payload_m")
    return edge.HnswIndexConfig(
        **{name: members.get(name, default) for name, default in HNSW_DEFAULTS.items()},
        **{name: members[name] for name in known if name in members},
    )


def collection_info(created: Json, engine: edge.EdgeShard) -> Json:
    """The answer to `GET /collections/{name}`.

    Args:
        created: the body that the collection was created with.
        engine: its shard.
    """
    info = engine.info()
    members = present(created)
    params: dict[str, Any] = {
        "shard_number": 1,
        "replication_factor": 1,
        "write_consistency_factor": 1,
        "on_disk_payload": members.get("on_disk_payload", True),
        "vectors": members.get("vectors", {}),
    }
    if members.get("sparse_vectors"):
        params["sparse_vectors"] = {
            name: part or {} for name, part in members["sparse_vectors"].items()
        }
    config = {
        "params": params,
        "hnsw_config": HNSW_DEFAULTS | present(members.get("hnsw_config", {})),
        "optimizer_config": OPTIMIZER_DEFAULTS | present(members.get("optimizers_config", {})),
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
    }
    if "metadata" in members:
        config["metadata"] = members["metadata"]
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": info.indexed_vectors_count,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "config": config,
        "payload_schema": {name: _index_info(one) for name, one in info.payload_schema.items()},
    }


# --- payload indexes -----------------------------------------------------------------------


def to_index(body: Json) -> Any:
    """The engine's index for a `field_schema`: a type's name, or an object of parameters.

    Raises:
        Unimplemented: a type or a parameter that the node does not have.
    """
    members: dict[str, Any] = {"type": body} if isinstance(body, str) else dict(present(body))
    kind = members.pop("type")
    if kind not in INDEXES:
        raise Unimplemented(f"payload index {kind!r}")
    params, known = INDEXES[kind]
    refuse(members, *(members.keys() - set(known)))
    if "tokenizer" in members:
        members["tokenizer"] = TOKENIZERS[members["tokenizer"]]
    return params(**members)


def _index_info(info: Any) -> Json:
    kind = _name(info.data_type)
    body = {"data_type": kind, "points": info.points}
    given = info.params
    # An index that was made of a bare type gives that type in the place of its parameters.
    if given is not None and not isinstance(given, edge.PayloadSchemaType) and kind in INDEXES:
        read = {name: getattr(given, name) for name in INDEXES[kind][1]}
        body["params"] = {"type": kind} | {
            name: value if isinstance(value, bool | int) else _name(value)
            for name, value in read.items()
            if value is not None
        }
    return body


def _name(member: enum.Enum | Any) -> str:
    """`keyword` for `PayloadSchemaType.Keyword`: the engine's members are no Python enums."""
    return str(member).rpartition(".")[2].lower()
