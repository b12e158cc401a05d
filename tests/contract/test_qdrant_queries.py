"""What Flotilla expects of Qdrant's queries."""

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from flotilla.settings import QdrantSettings, Settings
from flotilla.vectorstore.qdrant import connect
from tests.contract.points import DEAR, LAST, A, ids, status_of

SPARSE = models.SparseVector(indices=[9, 7], values=[1.0, 1.0])


def test_nearest_by_cosine(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[2.0, 0.0], using="dense", with_payload=["n"]).points
    assert ids(found) == [1, 2, 3, LAST]
    assert [one.score for one in found] == pytest.approx([1.0, 0.8, 0.6, 0.0], abs=1e-6)
    assert found[1].payload == {"n": 2}
    assert found[0].vector is None


def test_nearest_by_distance(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[0.0, 0.0], using="flat").points
    assert [(one.id, round(one.score, 4)) for one in found] == [
        (1, 1.0),
        (3, 2.8284),
        (LAST, 3.0),
        (2, 4.0),
    ]


def test_nearest_of_many_vectors(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=[[1.0, 0.0], [1.0, 1.0]], using="multi").points
    assert [(one.id, one.score) for one in found] == [(1, 2.0), (2, 1.0)]


def test_nearest_sparse_counts_rare_terms_more(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(fixed, query=SPARSE, using="sparse").points
    assert found[0].id == 3
    assert set(ids(found)) == {1, 2, 3}
    scores = {one.id: one.score for one in found}
    # Term 7 is in all three, term 9 in one of them, with weight 3: without idf it would be 4 to 1.
    assert scores[1] == pytest.approx(scores[2])
    assert scores[3] / scores[1] > 8


def test_limit_offset_and_threshold(qdrant: QdrantClient, fixed: str) -> None:
    near = {"query": [1.0, 0.0], "using": "dense"}
    assert ids(qdrant.query_points(fixed, limit=2, offset=1, **near).points) == [2, 3]
    assert ids(qdrant.query_points(fixed, score_threshold=0.7, **near).points) == [1, 2]
    far = qdrant.query_points(fixed, query=[0.0, 0.0], using="flat", score_threshold=2.9).points
    assert ids(far) == [1, 3]
    exact = models.SearchParams(exact=True, hnsw_ef=32)
    assert ids(qdrant.query_points(fixed, search_params=exact, **near).points)[0] == 1


def test_query_with_vectors_and_without_payload(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(
        fixed, query=[1.0, 0.0], using="dense", limit=1, with_payload=False, with_vectors=["sparse"]
    ).points[0]
    assert found.payload is None
    assert found.vector == {"sparse": models.SparseVector(indices=[7], values=[1.0])}


def test_query_by_id_leaves_the_point_out(qdrant: QdrantClient, fixed: str) -> None:
    assert ids(qdrant.query_points(fixed, query=3, using="dense").points) == [2, LAST, 1]
    mine = models.Filter(must=[A])
    found = qdrant.query_points(fixed, query=LAST, using="dense", query_filter=mine).points
    assert ids(found) == [2, 1]
    with pytest.raises(UnexpectedResponse) as error:
        qdrant.query_points(fixed, query=99, using="dense")
    assert status_of(error) == 404


def test_query_without_a_question_goes_by_id(qdrant: QdrantClient, fixed: str) -> None:
    assert ids(qdrant.query_points(fixed, limit=3).points) == [1, 2, 3]


# Dense order 1 2 3 LAST, sparse order 3 then 1 and 2 in either order; the prefetches take the
# first two of one and the first of the other.
DENSE_TWO = models.Prefetch(query=[1.0, 0.0], using="dense", limit=2)
SPARSE_ONE = models.Prefetch(query=SPARSE, using="sparse", limit=1)


def test_fusion_by_reciprocal_ranks(qdrant: QdrantClient, fixed: str) -> None:
    found = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.RrfQuery(rrf=models.Rrf(k=60, weights=[0.7, 0.3])),
    ).points
    assert ids(found) == [1, 2, 3]
    turned = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.RrfQuery(rrf=models.Rrf(k=60, weights=[0.3, 0.7])),
    ).points
    assert ids(turned) == [3, 1, 2]
    assert turned[0].score == pytest.approx(found[0].score)
    plain = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, SPARSE_ONE],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
    ).points
    # With k=2 and ranks from 0: 1/2, 1/2, 1/3.
    assert {one.id: round(one.score, 3) for one in plain} == {1: 0.5, 3: 0.5, 2: 0.333}
    both = qdrant.query_points(
        fixed,
        prefetch=[DENSE_TWO, models.Prefetch(query=[1.0, 0.0], using="flat", limit=1)],
        query=models.RrfQuery(rrf=models.Rrf(k=10)),
    ).points
    assert both[0].score == pytest.approx(2 / 10)


def test_fusion_by_distribution_of_scores(qdrant: QdrantClient, fixed: str) -> None:
    dense = models.Prefetch(query=[1.0, 0.0], using="dense", limit=4)
    found = qdrant.query_points(
        fixed,
        prefetch=[dense, dense],
        query=models.FusionQuery(fusion=models.Fusion.DBSF),
    ).points
    assert ids(found) == [1, 2, 3, LAST]
    # Spread by 3 standard deviations about the mean, and the same from both sides.
    scores = [1.0, 0.8, 0.6, 0.0]
    mean = sum(scores) / 4
    spread = (sum((one - mean) ** 2 for one in scores) / 3) ** 0.5
    expected = [2 * (one - mean + 3 * spread) / (6 * spread) for one in scores]
    assert [one.score for one in found] == pytest.approx(expected, abs=1e-4)


def test_filters_of_prefetches_and_of_the_whole(qdrant: QdrantClient, fixed: str) -> None:
    mine = models.Filter(must_not=[A])
    fused = models.FusionQuery(fusion=models.Fusion.RRF)
    own = models.Prefetch(query=[1.0, 0.0], using="dense", limit=1, filter=mine)
    assert ids(qdrant.query_points(fixed, prefetch=[own], query=fused).points) == [3]
    # The filter of the whole holds within the prefetches already: their limit comes after it.
    bare = models.Prefetch(query=[1.0, 0.0], using="dense", limit=1)
    found = qdrant.query_points(fixed, prefetch=[bare], query=fused, query_filter=mine)
    assert ids(found.points) == [3]


def test_nested_prefetch_rescores(qdrant: QdrantClient, fixed: str) -> None:
    inner = models.Prefetch(query=[1.0, 0.0], using="dense", limit=3)
    middle = models.Prefetch(prefetch=[inner], query=[0.0, 1.0], using="dense", limit=2)
    found = qdrant.query_points(fixed, prefetch=middle, query=[4.0, 0.0], using="flat").points
    # Of 1, 2, 3 the nearest to the second axis are 3 and 2; of these 2 is nearest to (4, 0).
    assert [(one.id, round(one.score, 3)) for one in found] == [(2, 0.0), (3, 2.828)]


def test_scores_of_points_that_are_named_are_those_among_all(
    qdrant: QdrantClient, fixed: str
) -> None:
    for query, using in (([1.0, 0.0], "dense"), (SPARSE, "sparse")):
        whole = qdrant.query_points(fixed, query=query, using=using).points
        named = models.Filter(must=[models.HasIdCondition(has_id=[2, 3, LAST])])
        found = qdrant.query_points(fixed, query=query, using=using, query_filter=named).points
        # A sparse query gives no score to what has none of its terms.
        assert {one.id: one.score for one in found} == pytest.approx(
            {one.id: one.score for one in whole if one.id != 1}
        )


def test_query_in_the_order_of_a_field(qdrant: QdrantClient, fixed: str) -> None:
    down = models.OrderByQuery(order_by=models.OrderBy(key="n", direction=models.Direction.DESC))
    assert ids(qdrant.query_points(fixed, query=down, limit=3).points) == [LAST, 3, 2]


def test_sample(qdrant: QdrantClient, fixed: str) -> None:
    some = qdrant.query_points(
        fixed, query=models.SampleQuery(sample=models.Sample.RANDOM), limit=2
    ).points
    assert len(set(ids(some))) == 2


def test_batch_of_queries(qdrant: QdrantClient, fixed: str) -> None:
    answers = qdrant.query_batch_points(
        fixed,
        [
            models.QueryRequest(query=[0.0, 1.0], using="dense", limit=1, with_payload=True),
            models.QueryRequest(query=SPARSE, using="sparse", limit=1),
            models.QueryRequest(query=[1.0, 0.0], using="dense", filter=models.Filter(must=[DEAR])),
        ],
    )
    assert [ids(one.points) for one in answers] == [[LAST], [3], [2]]
    assert answers[0].points[0].payload["n"] == 4


def test_lean_reads_find_what_the_client_finds(qdrant: QdrantClient, fixed: str) -> None:
    lean = connect(Settings(qdrant=QdrantSettings(url=qdrant.http.client.host)))
    searches = [
        models.QueryRequest(query=[0.0, 1.0], using="dense", limit=3, with_payload=True),
        models.QueryRequest(query=SPARSE, using="sparse", filter=models.Filter(must=[DEAR])),
    ]
    theirs = qdrant.query_batch_points(fixed, searches)
    ours = lean.find(fixed, searches)
    assert [[one["id"] for one in found] for found in ours] == [ids(one.points) for one in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        for one, point in zip(mine, other.points, strict=True):
            assert one["score"] == pytest.approx(point.score)
            assert one.get("payload") == point.payload
            assert "vector" not in one
    wanted = [one["id"] for one in ours[0]]
    there = lean.look_up(fixed, wanted, ["n"], ["dense"])
    known = {one.id: one for one in qdrant.retrieve(fixed, wanted, ["n"], ["dense"])}
    assert len(there) == len(known)
    for one in there:
        assert one["payload"] == known[one["id"]].payload
        assert one["vector"] == known[one["id"]].vector
