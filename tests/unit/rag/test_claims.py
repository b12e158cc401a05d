from flotilla.rag.claims import claims_of


def test_a_statement_is_a_sentence_with_its_numbers() -> None:
    answer = "It opens at nine [1]. It closes at six. [2][3] Ask at the gate."
    assert [(c.text, c.numbers) for c in claims_of(answer)] == [
        ("It opens at nine .", (1,)),
        ("It closes at six.", (2, 3)),
        ("Ask at the gate.", ()),
    ]
    for claim in claims_of(answer):
        assert answer[claim.start : claim.end].strip() == answer[claim.start : claim.end]


def test_items_of_a_list_are_statements_and_what_announces_them_is_none() -> None:
    answer = "There are two:\n- the red one [1]\n- the blue one [2]"
    assert [c.numbers for c in claims_of(answer)] == [(1,), (2,)]
