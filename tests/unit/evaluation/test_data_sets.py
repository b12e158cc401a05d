"""Data sets as others write them: what is read of them, and what is said of a mistake."""

import gzip
import json
from pathlib import Path

import pytest

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.data_sets import Kind, Span, read_data_set
from tests.doubles.data_sets import LOG, PASSAGES, lay_beir, lay_pages, lay_spans, write_lines


def test_beir(tmp_path: Path) -> None:
    found = read_data_set(lay_beir(tmp_path / "harbour"))

    assert (found.name, found.kind, found.remarks) == ("harbour", Kind.PASSAGES, [])
    assert [each.id for each in found.sources] == [key for key, _, _ in PASSAGES]
    # What is judged as not relevant is right for nothing.
    assert found.grades == {"q1": {"fuel": 1}, "q2": {"showers": 2}, "q3": {"cats": 1}}
    assert [each.id for each in found.judged] == ["q1", "q2", "q3"]
    assert [each.answerable for each in found.questions] == [True, True, None, False]


def test_a_title_comes_once_and_makes_the_name(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    passages = (
        {"_id": "a", "title": "Tides", "text": "Tides come twice a day."},
        {"_id": "b", "title": "Tides/ebb: and flow", "text": "High water is at noon."},
        {"_id": "c", "text": "No title."},
        {"_id": "fuel", "title": None, "text": "Fuel."},
    )
    write_lines(folder / "corpus.jsonl", passages)

    first, second, third, _ = read_data_set(folder).sources

    assert first.text == "Tides come twice a day."
    assert second.text == "Tides/ebb: and flow\n\nHigh water is at noon."
    assert third.name.removesuffix(".txt").isalnum()
    assert [each.name.split("/", 1)[1] for each in (first, second)] == [
        "Tides.txt",
        "Tides ebb and flow.txt",
    ]
    assert len({each.name for each in (first, second, third)}) == 3


def test_a_title_with_which_a_longer_word_begins_is_kept(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    write_lines(folder / "corpus.jsonl", [{"_id": "fuel", "title": "Art", "text": "Arthur sails."}])

    assert read_data_set(folder).sources[0].text == "Art\n\nArthur sails."


@pytest.mark.parametrize(
    "table",
    [
        "query-id\tcorpus-id\tscore\nq1\tfuel\t3\n",
        "\ufeffscore\tcorpus-id\tquery-id\r\n3\tfuel\tq1\r\n",
        "q1\tfuel\t3\n",
        "q1 0 fuel 3\n",
        "q1   fuel   3\n\n",
        "query_id,doc_id,relevance\nq1,fuel,3.0\n",
    ],
)
@pytest.mark.parametrize("place", ["qrels.tsv", "qrels/test.tsv", "qrels.tsv.gz"])
def test_judgements_in_other_columns(tmp_path: Path, table: str, place: str) -> None:
    folder = lay_beir(tmp_path)
    (folder / "qrels.tsv").unlink()
    (folder / "qrels").mkdir()
    write = gzip.open if place.endswith(".gz") else open
    with write(folder / place, "wt", encoding="utf-8", newline="") as file:
        file.write(table)

    assert read_data_set(folder).grades == {"q1": {"fuel": 3}}


def test_a_table_of_pairs(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    (folder / "qrels.tsv").write_text("q1\tfuel\n")

    assert read_data_set(folder).grades == {"q1": {"fuel": 1}}


def test_what_is_odd_is_got_over_and_told(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    more = (
        {"_id": "fuel", "text": "The second of that id."},
        {"_id": "again", "title": "Fuel", "text": PASSAGES[1][2]},
        {"_id": "empty", "text": " "},
    )
    with (folder / "corpus.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(each)}\n" for each in more)
    with (folder / "qrels.tsv").open("a") as file:
        file.write("q1\tagain\t2\nq1\tnowhere\t1\nnobody\tfuel\t1\n")

    found = read_data_set(folder)

    assert len(found.sources) == len(PASSAGES)
    assert found.same == {"again": "fuel"}
    assert found.grades["q1"] == {"fuel": 2}  # either of the two texts is right
    told = " ".join(found.remarks)
    for word in ("fuel", "again", "empty", "nowhere", "nobody"):
        assert word in told


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "b"}\n{"_id": \n', "corpus.jsonl, line 2: not JSON"),
        ("corpus.jsonl", '{"_id": "a", "text": "b"}\n["c"]\n', "line 2: a JSON object is wanted"),
        ("corpus.jsonl", '{"text": "b"}\n', "line 1: there is no `_id`"),
        ("queries.jsonl", '{"_id": "q1"}\n', "line 1: the question 'q1' has no `text`"),
        ("qrels.tsv", "q1\tfuel\t1\nq2\tcats\n", "line 2: 2 columns, where 3 are wanted"),
        ("qrels.tsv", "q1\tfuel\t1\nq2\tcats\thigh\n", "line 2: the grade 'high' is no number"),
        ("qrels.tsv", "q1\tfuel\t1\nq2\tcats\tnan\n", "line 2: the grade 'nan' is no number"),
        ("qrels.tsv", "q1\tfuel\tinf\n", "line 1: the grade 'inf' is no number"),
        ("corpus.jsonl", "[" * 100_000, "not JSON (too deep)"),
        ("qrels.tsv", "q1\n", "line 1: columns are wanted"),
        ("qrels.tsv", "other\tfuel\t1\n", "ids of questions and judgements are alike"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, file: str, content: str, told: str
) -> None:
    folder = lay_beir(tmp_path)
    (folder / file).write_text(content)

    with pytest.raises(DataSetInvalid) as caught:
        read_data_set(folder)

    assert told in caught.value.message


@pytest.mark.parametrize("missing", ["queries.jsonl", "qrels.tsv", "corpus.jsonl"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    folder = lay_beir(tmp_path)
    (folder / missing).unlink()

    with pytest.raises(DataSetInvalid, match=missing.replace(".", r"\.")):
        read_data_set(folder)


def test_a_corpus_in_latin_1_is_refused(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    (folder / "corpus.jsonl").write_bytes('{"_id": "a", "text": "Öl"}'.encode("latin-1"))

    with pytest.raises(DataSetInvalid, match="is not text in UTF-8"):
        read_data_set(folder)


def test_pages(tmp_path: Path) -> None:
    found = read_data_set(lay_pages(tmp_path))

    assert found.kind is Kind.PAGES
    assert [(each.id, each.name) for each in found.sources] == [
        ("rules.pdf", "files/rules.pdf"),
        ("prices", "files/prices.txt"),
    ]
    assert found.grades == {"p1": {"rules.pdf#3": 1}, "p2": {"prices#1": 1}}


@pytest.mark.parametrize("called", ["files/rules.pdf", "RULES.pdf", "rules"])
def test_a_folder_of_documents_without_a_list(tmp_path: Path, called: str) -> None:
    folder = lay_pages(tmp_path)
    (folder / "docs.jsonl").unlink()
    (folder / "README.md").write_text("What this is.")
    (folder / "qrels_pages.tsv").write_text(f"p1\t{called}#page=3\t1\n")

    found = read_data_set(folder)

    assert [each.id for each in found.sources] == ["files/prices.txt", "files/rules.pdf"]
    assert found.grades == {"p1": {"files/rules.pdf#3": 1}}


@pytest.mark.parametrize("page", ["rules.pdf", "rules.pdf#0", "rules.pdf#iv"])
def test_what_is_no_page_is_told(tmp_path: Path, page: str) -> None:
    folder = lay_pages(tmp_path)
    (folder / "qrels_pages.tsv").write_text(f"query-id\tcorpus-id\np1\t{page}\n")

    with pytest.raises(DataSetInvalid, match=r"line 2: .* is not of the form document#page"):
        read_data_set(folder)


def test_a_listed_file_that_is_not_there(tmp_path: Path) -> None:
    folder = lay_pages(tmp_path)
    (folder / "files" / "prices.txt").unlink()

    with pytest.raises(DataSetInvalid, match=r"docs\.jsonl, line 2: there is no file"):
        read_data_set(folder)


def test_spans(tmp_path: Path) -> None:
    found = read_data_set(lay_spans(tmp_path))

    start = LOG.index("The crane")
    assert found.kind is Kind.SPANS
    assert {each.id for each in found.sources} == {"log", "prices"}
    assert found.spans["s1"] == [
        Span("log", start, start + len("The crane was painted yellow in April."))
    ]


def test_a_reference_is_found_by_its_words_where_its_offsets_are_wrong(tmp_path: Path) -> None:
    folder = lay_spans(tmp_path)
    reference = {"content": "The crane was painted", "start_index": 3, "end_index": 9}
    gone = {"content": "The crane was stolen", "start_index": 3, "end_index": 9}
    question = {"_id": "s1", "text": "?", "corpus_id": "log.md", "references": [reference, gone]}
    write_lines(folder / "queries.jsonl", [question])

    found = read_data_set(folder)

    start = LOG.index("The crane")
    assert found.spans == {"s1": [Span("log", start, start + len("The crane was painted"))]}
    assert len(found.remarks) == 2


def test_offsets_beyond_the_text_are_told(tmp_path: Path) -> None:
    folder = lay_spans(tmp_path)
    reference = {"start_index": 3, "end_index": 90_000}
    question = {"_id": "s1", "text": "?", "corpus_id": "log", "references": [reference]}
    write_lines(folder / "queries.jsonl", [question])

    with pytest.raises(DataSetInvalid, match="line 1: start_index 3 and end_index 90000"):
        read_data_set(folder)


def test_a_form_that_a_question_has_not(tmp_path: Path) -> None:
    first, second = read_data_set(lay_beir(tmp_path)).questions[:2]

    assert second.form("rewrite") == "What do the showers cost?"
    with pytest.raises(DataSetInvalid, match="q1 has no field 'rewrite'"):
        first.form("rewrite")


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataSetInvalid, match="no data set of a known form"):
        read_data_set(tmp_path)
    with pytest.raises(DataSetInvalid, match="There is no folder"):
        read_data_set(tmp_path / "nowhere")


def test_blank_lines_are_no_lines(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    as_it_was = read_data_set(folder)
    for file in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        content = (folder / file).read_text()
        (folder / file).write_text("  \n" + content.replace("\n", "\r\n \t\r\n"), newline="")

    assert read_data_set(folder) == as_it_was


def test_an_array_behind_a_blank_line(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    records = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    (folder / "corpus.jsonl").write_text("\n" + json.dumps(records, indent=1))

    assert len(read_data_set(folder).sources) == len(PASSAGES)


def test_a_fraction_is_a_grade(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    (folder / "qrels.tsv").write_text("q1\tfuel\t0.25\nq2\tcats\t1.6\nq3\tice\t0.0\n")

    assert read_data_set(folder).grades == {"q1": {"fuel": 1}, "q2": {"cats": 2}}


def test_an_empty_question_is_left_out(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q9", "text": " "}\n')

    found = read_data_set(folder)

    assert "q9" not in {each.id for each in found.questions}
    assert list(found.remarks) == ["1 questions are empty, and are left out: q9."]


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    with (folder / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q9", "text": "A \\ud83d cat, a \\ud83d\\ude00?"}\n')

    assert read_data_set(folder).questions[-1].form("text") == "A \ufffd cat, a \U0001f600?"


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    folder = lay_beir(tmp_path)
    packed = bytearray(gzip.compress((folder / "corpus.jsonl").read_bytes()))
    packed[12:40] = bytes(28)
    (folder / "corpus.jsonl").unlink()
    (folder / "corpus.jsonl.gz").write_bytes(packed)

    with pytest.raises(DataSetInvalid, match=r"corpus\.jsonl\.gz is damaged"):
        read_data_set(folder)


def test_pages_in_a_column_of_their_own(tmp_path: Path) -> None:
    folder = lay_pages(tmp_path)
    as_it_was = read_data_set(folder)
    table = "query_id,doc_id,page,score\np1,rules.pdf,3,1\np2,prices,1,1\n"
    (folder / "qrels_pages.tsv").write_text(table)

    assert read_data_set(folder).grades == as_it_was.grades


def test_links_of_one_name_stay_apart(tmp_path: Path) -> None:
    folder = lay_pages(tmp_path / "set")
    (folder / "docs.jsonl").unlink()
    for place in ("north", "south"):
        kept = tmp_path / "kept" / place
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(f"Rules of the {place}.")
        (folder / place).mkdir()
        (folder / place / "rules.txt").symlink_to(kept)

    names = [each.name for each in read_data_set(folder).sources]

    assert {"north/rules.txt", "south/rules.txt"} <= set(names)
    # Nor does it matter from where the folder is named.
    (tmp_path / "elsewhere").mkdir()
    again = read_data_set(tmp_path / "elsewhere" / ".." / "set")
    assert [each.name for each in again.sources] == names


def test_spans_of_a_table(tmp_path: Path) -> None:
    folder = lay_spans(tmp_path)
    as_it_was = read_data_set(folder)
    records = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    bare = [{"_id": each["_id"], "text": each["text"]} for each in records]
    write_lines(folder / "queries.jsonl", bare)
    rows = [
        f"{key}\t{span.source}#{span.start}-{span.end}\t1\n"
        for key, spans in as_it_was.spans.items()
        for span in spans
    ]
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))

    found = read_data_set(folder)

    assert (found.kind, found.spans) == (Kind.SPANS, as_it_was.spans)


def test_texts_that_differ_in_their_suffix_alone(tmp_path: Path) -> None:
    folder = lay_spans(tmp_path)
    (folder / "corpora" / "log.txt").write_text("Another log.")
    reference = {"start_index": 0.0, "end_index": 11.0}
    question = {"_id": "s1", "text": "?", "corpus_id": "log.txt", "references": [reference]}
    write_lines(folder / "queries.jsonl", [question])

    found = read_data_set(folder)

    assert {each.id for each in found.sources} == {"log.md", "log.txt", "prices"}
    assert found.spans == {"s1": [Span("log.txt", 0, 11)]}
