"""Chunks whose text did not change are told from those whose text did."""

from flotilla.document.reuse import KnownTexts
from flotilla.models import Chunk, chunk_id


def chunks(version: str, *texts: str) -> list[Chunk]:
    return [
        Chunk(
            id=chunk_id("d", version, position),
            document_id="d",
            version_id=version,
            position=position,
            text=text,
            start=0,
            end=len(text),
            page_start=None,
            page_end=None,
            tokens=1,
        )
        for position, text in enumerate(texts)
    ]


def test_a_chunk_takes_over_the_vectors_of_the_very_same_text() -> None:
    old = chunks("v1", "alpha", "beta", "gamma")
    new = chunks("v2", "before all", "beta", "Gamma", "alpha ", "alpha")
    marked = list(KnownTexts(iter(old)).mark(iter(new)))
    assert [one.vector_of for one in marked] == [None, old[1].id, None, None, old[0].id]
    assert [one.model_copy(update={"vector_of": None}) for one in marked] == new


def test_a_text_that_comes_twice_is_known_once() -> None:
    old = chunks("v1", "same", "same")
    known = KnownTexts(old)
    assert len(known) == 1
    assert [one.vector_of for one in known.mark(chunks("v2", "same", "same"))] == [old[0].id] * 2


def test_half_a_surrogate_pair_is_a_text_like_any_other() -> None:
    [old] = chunks("v1", "broken \ud800")
    assert KnownTexts([old]).id_of(old) == old.id


def test_nothing_is_known_of_a_first_version() -> None:
    new = chunks("v1", "alpha")
    assert list(KnownTexts([]).mark(new)) == new


def test_a_mark_survives_the_blobs_and_older_blobs_have_none() -> None:
    [one] = KnownTexts(chunks("v1", "alpha")).mark(chunks("v2", "alpha"))
    assert Chunk.model_validate_json(one.model_dump_json()) == one
    without = one.model_dump(mode="json")
    del without["vector_of"]
    assert Chunk.model_validate(without).vector_of is None


def test_the_texts_themselves_are_not_held() -> None:
    import tracemalloc

    tracemalloc.start()
    known = KnownTexts(
        one for number in range(2000) for one in chunks(f"v{number}", f"{number}" * 400)
    )
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(known) == 2000
    assert held < 2000 * 300
