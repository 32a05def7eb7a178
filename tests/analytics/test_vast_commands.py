"""Lines for the market's program: what a shell makes of them, whatever a model is called."""

from __future__ import annotations

import re
import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from analytics.regions import UNKNOWN, countries_in, region_names, region_of
from analytics.vast_commands import Search, bid_price, create_line, search_line

TERM = re.compile(r"([a-zA-Z0-9_]+)( *[=><!]+| +in )?( *)(\[[^\]]+\]|\"[^\"]+\"|[^ ]+)?( *)")
"""How vastai 1.9.1 takes its query apart: field, operator, value; text that is left over is refused."""


def test_a_search_is_the_one_that_the_program_documents() -> None:
    assert search_line(Search("RTX 4090", 1, 50)) == (
        "vastai search offers 'gpu_name=RTX_4090 num_gpus=1 rentable=true verified=true' -t bid -o dph --storage 50"
    )
    assert search_line(Search("A100 SXM4", 8, 65, 80, ("DE", "FR"), on_demand=True)) == (
        "vastai search offers 'gpu_name=A100_SXM4 num_gpus=8 rentable=true verified=true gpu_ram>=76.2 gpu_ram<=87.7 "
        "geolocation in [DE,FR]' -t on-demand -o dph --storage 65"
    )
    assert "geolocation=US'" in search_line(Search("L40S", 1, 50, countries=countries_in("US-East")))


def test_memory_tells_the_sizes_of_a_name_apart() -> None:
    def bounds(size: int) -> list[float]:
        return [float(text) for text in re.findall(r"gpu_ram[<>]=([\d.]+)", search_line(Search("A", 1, 50, size)))]

    for small, large in ((40, 80), (10, 12), (16, 32), (8, 16)):
        assert bounds(small)[1] < bounds(large)[0]
    low, high = bounds(80)
    assert low <= 81.559 <= 81.920 <= high  # what A100s report, in the program's unit


@given(st.text(max_size=60))
@example("RTX'; rm -rf / #")
@example("$(reboot) `id` && x | y > z")
@example('"\n\r\x00\x1b[31m\u202e')
@example("<!channel>")
@example("")
def test_no_name_ends_its_word_or_the_line(name: str) -> None:
    line = search_line(Search(name, 2, 50))
    assert "\n" not in line
    assert line.isprintable()
    words = shlex.split(line)
    assert words[:3] == ["vastai", "search", "offers"]
    assert words[4:] == ["-t", "bid", "-o", "dph", "--storage", "50"]
    terms = words[3].split(" ")
    assert len(terms) == 4
    assert terms[1:] == ["num_gpus=2", "rentable=true", "verified=true"]
    if re.fullmatch(r"[\w .-]+", name, re.ASCII) and name.strip():
        read = TERM.findall(words[3])
        assert "".join("".join(parts) for parts in read) == words[3]
        assert [parts[0] for parts in read] == ["gpu_name", "num_gpus", "rentable", "verified"]


def test_a_bid_is_of_all_gpus_and_never_below_the_least() -> None:
    assert bid_price(200_000, 2) == "0.4000"
    assert bid_price(133_333, 3) == "0.4000"  # 0.40 dollars kept a GPU
    assert create_line(70, "50", bid_price(160_950, 1)) == (
        "vastai create instance 70 --image IMAGE --disk 50 --bid_price 0.1610"
    )
    assert create_line(70, "50", None) == "vastai create instance 70 --image IMAGE --disk 50"


@given(st.integers(1, 50_000_000), st.integers(1, 64))
def test_bids_are_rounded_up_by_less_than_a_step(bid: int, gpus: int) -> None:
    assert 0 <= float(bid_price(bid, gpus)) - bid * gpus / 1e6 + 1e-9 < 0.0001 + 2e-9


def test_countries_of_a_region_lie_in_it() -> None:
    for region in region_names():
        for code in countries_in(region):
            assert region_of(f", {code}") == region or (code == "US" and region.startswith("US"))
    assert countries_in(UNKNOWN) == ()
    assert "DE" in countries_in(region_of(", DE"))
