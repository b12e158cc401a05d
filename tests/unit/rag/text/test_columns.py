from flotilla.rag.text.columns import columns_of

HEADER = "Stock no. Model Year Mileage Price"
ROWS = [
    "SL-1 Honda Jazz 1.5 2021 17,900 £16,250",
    "SL-2 Mazda 3 2.0 SE-L 2019 37,800 £12,850",
    "SL-3 Tesla Model 3 Long Range 2021 35,200 £25,400",
]


def test_columns_are_told_from_the_header_and_the_rows() -> None:
    columns = columns_of(HEADER, ROWS)
    assert columns is not None
    assert columns.names == ("Stock no.", "Model", "Year", "Mileage", "Price")
    assert columns.cells(ROWS[2]) == [
        "SL-3",
        "Tesla Model 3 Long Range",
        "2021",
        "35,200",
        "£25,400",
    ]
    assert columns.cells("SL-4 sold") is None


def test_a_value_is_never_given_a_wrong_name() -> None:
    assert columns_of("Stock no. Model Annual Fee Year Mileage Price", ROWS) is None
    assert columns_of(HEADER, ROWS[:2]) is None, "two rows may look alike by chance"
    assert columns_of(HEADER, [*ROWS, "SL-4 Audi A3 2018 47,100 sold"]) is None
    assert columns_of("Model | Price", ["a 1", "b 2", "c 3"]) is None


def test_a_table_may_begin_with_its_names() -> None:
    columns = columns_of(
        "City Founded People", ["New York 1624 800", "Oslo 1048 70", "Rome 753 280"]
    )
    assert columns is not None
    assert columns.cells("San Marino 301 3") == ["San Marino", "301", "3"]
