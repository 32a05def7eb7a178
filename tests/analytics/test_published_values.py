"""The tables of published values: each row has a source, and the program prints all of them."""

import pytest

from benchmarks.published_values import FOLDER, QUANTITIES, Quantity, compared, main


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.file)
def test_every_published_value_has_its_source(quantity: Quantity):
    found = list(compared(quantity))
    assert len(found) >= 6
    assert all(one.row["source"] and one.published > 0 and one.ours > 0 for one in found)


def test_no_table_is_forgotten():
    assert {file.name for file in FOLDER.glob("*.csv")} == {quantity.file for quantity in QUANTITIES}


def test_every_table_is_printed_with_its_errors(capsys):
    main()
    printed = capsys.readouterr().out
    for quantity in QUANTITIES:
        assert quantity.title in printed
        for one in compared(quantity):
            assert f"{100 * one.error:+6.0f}%  {one.row['source']}" in printed
