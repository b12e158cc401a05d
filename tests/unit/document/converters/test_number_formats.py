from datetime import date, datetime, time, timedelta

import pytest

from flotilla.document.converters.number_formats import shown

MOMENT = datetime(2025, 3, 1, 14, 5)  # noqa: DTZ001 - a cell has no time zone


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (None, "General", ""),
        ("text", "0.00", "text"),
        (True, "General", "TRUE"),
        (3, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (123456789012.7, "General", "123456789013"),
        (1234.5, "#,##0.00", "1,234.50"),
        (-5, "0.00", "-5.00"),
        (-5, "#,##0;(#,##0)", "(5)"),
        (-5, '0;[Red]-0" below"', "-5 below"),
        (0, '0;-0;"none"', "none"),
        (0.125, "0.0%", "12.5%"),
        (7, "000", "007"),
        (5551234, "000-0000", "555-1234"),
        (4755123456, '"+"00 00 00 00 00', "+47 55 12 34 56"),
        (12, "000-0000", "000-0012"),
        (12, "###-####", "-12"),
        (1234567, "#,##0;-#,##0", "1,234,567"),
        (1234567, "# ##0", "1234 567"),
        (1_234_567, '#,##0,"k"', "1,235k"),
        (5, "[$€-407]\\ #,##0.00", "€ 5.00"),
        (5, '0" m"', "5 m"),
        (1.5, "_-* #,##0.00\\ _€_-", "1.50"),
        (12345, "0.00E+00", "1.23E+04"),
        (0.5, "# ?/?", "0.5"),
        (5, '";"0', ";5"),
        (MOMENT, "dd/mm/yyyy", "01/03/2025"),
        (MOMENT, "d. mmmm yyyy h:mm AM/PM", "1. March 2025 2:05 PM"),
        (MOMENT, "ddd, dd mmm yy", "Sat, 01 Mar 25"),
        (MOMENT, "yyyy\\-mm\\-dd hh:mm:ss", "2025-03-01 14:05:00"),
        (MOMENT, "mm-dd-yy", "2025-03-01 14:05"),
        (date(2025, 3, 1), "General", "2025-03-01"),
        (time(9, 5), "hh:mm", "09:05"),
        (time(9, 5), "dd/mm", "09:05"),
        (timedelta(hours=30), "[h]:mm:ss", "30:00:00"),
        (5, "", "5"),
        (5, "\\", "5"),
    ],
)
def test_a_cell_shows(value: object, number_format: str, text: str) -> None:
    assert shown(value, number_format) == text
