"""Conditions as people write and paste them, in two languages: never silently another number."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import AskError
from analytics.market import DAY, HOUR, MICRO
from analytics.quantities import ENGLISH, PLAIN, PORTUGUESE, NumberFormat
from bot.alerts.conditions import EXAMPLES, LONGEST_TEXT, Condition, parse
from bot.alerts.rules import PPM, Direction, Kind, Metric, OfferFilter
from bot.presentation.words import NUMBERS, Words

tags = st.sampled_from(sorted(NUMBERS))
BELOW, ABOVE = Direction.BELOW, Direction.ABOVE
PRICE = Condition(Kind.BELOW, 350_000, BELOW)
FLOOR = Condition(Kind.BELOW, 350_000, BELOW, Metric.FLOOR)
AT_MOST = Condition(Kind.BELOW, 350_000, BELOW, at_threshold=True)
OVER = Condition(Kind.ABOVE, 500_000, ABOVE)
CROSSES = Condition(Kind.CROSSES, 400_000, BELOW)
CROSSES_UP = Condition(Kind.CROSSES, 400_000, ABOVE)
DROPS = Condition(Kind.DROPS, 900_000, BELOW, window=24 * HOUR)
RISES = Condition(Kind.RISES, 1_155_000, ABOVE, window=6 * HOUR)
LOW = Condition(Kind.NEW_LOW, PPM, BELOW, window=30 * DAY)
EIGHT = Condition(Kind.AVAILABLE, 8, ABOVE)
EIGHT_EU = Condition(Kind.AVAILABLE, 8, ABOVE, region="EU-*")
RISK = Condition(Kind.RISK_ABOVE, 200_000, ABOVE, window=24 * HOUR)
PREDICTED = Condition(Kind.PREDICTED_BELOW, 300_000, BELOW, window=24 * HOUR, level=800_000)
PREDICTED_AT_MOST = Condition(Kind.PREDICTED_BELOW, 300_000, BELOW, window=6 * HOUR, at_threshold=True, level=655_000)
RISK_AT_LEAST = Condition(Kind.RISK_ABOVE, 7_500, ABOVE, window=6 * HOUR, at_threshold=True)
OFFER = Condition(Kind.OFFER, 300_000, BELOW, offer=OfferFilter())
OFFER_EU = Condition(Kind.OFFER, 300_000, BELOW, region="EU-*", offer=OfferFilter(2, 980_000, 100))

SAME: dict[Condition, tuple[str, ...]] = {
    PRICE: (
        "< 0.35", "<0.35", "<$0.35", "< $0.35/h", "< 0.35 USD", "< US$ 0,35", "< 0,35", "&lt; 0.35", "&lt;0,35",
        "＜ ０．３５", "＜＄０，３５", "<\u00a00.35", "<\u202f0,35\u200b", "“< 0.35”", "< “0.35”", "`< 0.35`",
        "'< 0.35'",
        "‘< 0.35’", "  BELOW   0.35 ", "under $.35", "less than 0.350", "price < 0.35", "spot below 0.35",
        "abaixo de 0,35", "preço abaixo de US$ 0,35", "menos de 0,35/hora", "mediana < 0,35", "< 0.35.", "\ufeff< 0.35",
    ),
    FLOOR: ("floor < 0.35", "cheapest below 0.35", "piso < 0,35", "mínimo abaixo de 0,35"),
    AT_MOST: ("<= 0.35", "≤ 0.35", "≤0,35", "⩽ 0.35", "&lt;= 0.35", "=< 0.35", "＜＝０．３５", "at most 0.35",
        "no máximo 0,35"),
    OVER: ("> 0.5", "&gt; 0.50", ">$0.5", "above 0.5", "more than 0.5", "acima de 0,5", "mais de 0,50", "＞０．５"),
    CROSSES: ("crosses 0.40", "crosses below 0.4", "cruza 0,40", "cruza para baixo 0,4"),
    CROSSES_UP: ("crosses above 0.40", "cross up $0.4", "cruza para cima 0,40", "cruza acima de 0,4"),
    DROPS: ("drops 10% in 24h", "falls 10 % within 24 hours", "drops 10％ in 1 day", "cai 10% em 24h",
        "queda de 10,0% em 1 dia"),
    RISES: ("rises 15.5% in 6h", "climbs 15,5% over 6 hours", "sobe 15,5% em 6 horas", "alta de 15,5 % dentro de 6h"),
    LOW: ("new low 30d", "new low in 30 days", "nova mínima 30d", "novo mínimo em 30 dias", "nova minima de 30 dias"),
    EIGHT: ("available >= 8", "available 8", "free at least 8", "available > 7", "available ≥ 8 GPUs", "disponíveis 8"),
    EIGHT_EU: ("available >= 8 in EU", "available &gt;= 8 in europe", "disponíveis no mínimo 8 na Europa",
        "livres 8 em ue"),
    RISK: ("risk > 20% in 24h", "risk>20 % in 1 day", "risk &gt; 20% within 24 hours",
        "interruption risk above 20% in 24h",
        "risk of interruption over 0.2 in 24h", "risk ＞ ２０％ in 24h", "risco > 20% em 24h", "risco > 0,2 em 24h",
        "risco de interrupção acima de 20,0% em 24h", "risco de interrupcao mais de 20% dentro de 1 dia"),
    PREDICTED: ("predicted < 0.30 in 24h with 80%", "predicted below 0.30 within 24h with probability 0.8",
        "predicted < $0.30 in 24h", "predicted<0.3 in 1 day",
        "forecast under 0.30 within 24 hours with a chance of 80 %",
        "predicted &lt; 0.30 in 24h at 80%", "previsto < 0,30 em 24h com 80%", "previsto abaixo de US$ 0,30 em 24h",
        "previsto < 0,30 em 24h com probabilidade de 0,8", "previsão abaixo de 0,30 dentro de 24h com 80,0%"),
    PREDICTED_AT_MOST: ("predicted <= 0.30 in 6h with 65.5%", "previsto ≤ 0,30 em 6h com 65,5%",
        "previsto no máximo 0,30 em 6 horas com chance de 0,655"),
    RISK_AT_LEAST: ("risk >= 0.75% in 6h", "interruption risk at least 0,75% in 6h", "risco ≥ 0,75% em 6 horas"),
    OFFER: ("offer < 0.30", "offers below $0.30/h", "offer<0.3", "oferta < 0,30", "ofertas abaixo de US$ 0,30",
        "offer &lt; 0.30", "offer < 0.30 gpus>=1"),
    OFFER_EU: ("offer < 0.30 gpus>=2 region=EU reliability>=0.98 disk=100GB",
        "offer < 0.30 disk >= 100 GB, reliability ≥ 98%, region = EU, gpus ≥ 2",
        "offer < 0.30, gpus=2 disk&gt;=0.1 TB region:Europe reliability&gt;=98.0%",
        "offer < 0.30 in EU gpus>=2 disk>=100 reliability>=0,98",
        "oferta < 0,30 gpus>=2 região=EU confiabilidade>=0,98 disco=100GB",
        "oferta abaixo de 0,30 na Europa disco=100 GB confiabilidade no mínimo 98% gpu>=2"),
}  # fmt: skip


@pytest.mark.parametrize("written", [ENGLISH, PORTUGUESE], ids=["en", "pt"])
@pytest.mark.parametrize(("meant", "text"), [(meant, text) for meant, texts in SAME.items() for text in texts])
def test_what_people_write_and_paste(meant: Condition, text: str, written: NumberFormat) -> None:
    if _has_comma(text) and written is ENGLISH:
        with pytest.raises(AskError) as refused:
            parse(text, written)
        assert not _has_comma(" ".join(refused.value.suggestions))
    else:
        assert parse(text, written) == meant


def _has_comma(text: str) -> bool:
    return re.search(r"\d,\d", unicodedata.normalize("NFKC", text)) is not None


@pytest.mark.parametrize(
    ("text", "written", "suggestions"),
    [
        ("< 0,35", ENGLISH, ("0.35",)),
        ("< 1,500", PLAIN, ("1500", "1.5")),
        ("< 1.500", PORTUGUESE, None),
        ("< 1.2.3", PORTUGUESE, ("1.500", "1,5")),
    ],
)
def test_a_number_of_another_language_is_refused_with_what_to_write(
    text: str, written: NumberFormat, suggestions: tuple[str, ...] | None
) -> None:
    if suggestions is None:
        assert parse(text, written).threshold == 1500 * MICRO
        return
    with pytest.raises(AskError) as refused:
        parse(text, written)
    assert refused.value.suggestions == suggestions


@pytest.mark.parametrize(("text", "code"), [("< R$ 0,35", "BRL"), ("< €0.35", "EUR"), ("< 0.35 euros", "EUR")])
def test_a_price_in_another_currency_is_refused_by_its_name(text: str, code: str) -> None:
    with pytest.raises(AskError, match=code):
        parse(text)


def test_where_a_rule_watches() -> None:
    assert parse("floor < 0.35 in EU-North").region == "EU-North"
    assert parse("piso < 0,35 na Ásia", PORTUGUESE).region == "Asia-*"
    with pytest.raises(AskError) as refused:
        parse("available >= 8 in Atlantis")
    assert "EU" in refused.value.suggestions


def test_what_has_two_meanings_follows_the_language() -> None:
    texts = ("> 1,500", "> 1.500", "available 1,500", "rises 1.500% in 6h")
    english, portuguese = ([_threshold(text, written) for text in texts] for written in (ENGLISH, PORTUGUESE))
    assert english == [1500 * MICRO, 1_500_000, 1500, PPM + 15_000]
    assert portuguese == [1_500_000, 1500 * MICRO, None, PPM * 16]


def _threshold(text: str, written: NumberFormat) -> int | None:
    try:
        return parse(text, written).threshold
    except AskError:
        return None


@pytest.mark.parametrize("written", [ENGLISH, PORTUGUESE], ids=["en", "pt"])
@pytest.mark.parametrize(
    "text",
    [
        "", "<", "0.35", "< 0.35 0.40", "< -0.35", "< −0.35", "< R$ 0,35", "< €0.35", "< 35 cents", "< 35¢", "< 0.35k",
        "< 0.3²", "< ½", "< ٣", "< १,५००", "< 1'500'0", "< 1 500", "< 1.2.3", "< 1,2,3", "< 0.0000001",
        "< 1e3", "< 0x10",
        "< nan", "< 0.35%", "> < 0.35", "<> 0.35", "== 0.35", "drops 10 in 24h", "drops 10%",
        "drops 10% in 5 fortnights",
        "drops -10% in 24h", "drops 0.00001% in 24h", "new low", "new low 30", "available < 8", "available 7.5",
        "available 0.5", "< 1.0000000000000000000000000000001", "< 99999999999999999999999999", "< 0.35\n> 1", "; drop",
        "risk > 20 in 24h", "risk > 20%", "risk < 20% in 24h", "risk > 20% in 24", "risk > -20% in 24h",
        "risk > 0.00001% in 24h", "risk > 20% in 24h in EU", "risk > nan% in 24h", "risk > 20%% in 24h",
        "risco > 2e1% em 24h",
        "predicted > 0.30 in 24h", "predicted < 0.30", "predicted < 0.30 in 24h with 80",
        "predicted < 0.30 in 24h with",
        "predicted < 0.30 with 80%", "predicted < 0.30 in 24h with 0.00001%", "predicted < 0.30 in 24h in EU with 80%",
        "predicted < 0.30 in 24h with -80%", "predicted < 0.30 in 24h with 80% or 90%", "predicted < 80% in 24h",
        "previsto < 0,30 em 24h com oitenta", "predicted < nan in 24h",
 "risk > 20% in 24h; drop",
        "offer", "offer > 0.3", "offer < 0.3 bananas=2", "offer < 0.3 gpus<=3", "offer < 0.3 gpus>=2; drop table",
        "offer < 0.3 gpus>=2 gpus>=3", "offer < 0.3 in EU region=US", "offer < 0.3 reliability>=98",
        "offer < 0.3 reliability>=101%", "offer < 0.3 disk=0", "offer < 0.3 disk=5 PB", "offer < 0.3 disk=0.5",
        "offer < 0.3 region=", "offer < 0.3 region=Atlantis", "offer < 0.3 gpus>=1.5", "offer < 0.3 gpus>=-2",
        "on-demand offer < 0.3", "floor offer < 0.3", "offer < 0.3 gpus>=2 region=EU<script>",
    ],
)  # fmt: skip
def test_what_means_nothing_for_certain_is_refused(text: str, written: NumberFormat) -> None:
    with pytest.raises(AskError):
        parse(text, written)


@pytest.mark.parametrize(
    "text",
    ["<" * 1000, "< " + "1" * 1000, "< 1" + ",000" * 300, "in " * 400, "available 8 in " + "a" * 1000, " " * 999 + "?"],
)
def test_long_texts_are_refused_unread(text: str) -> None:
    with pytest.raises(AskError) as refused:
        parse(text)
    assert len(text) > LONGEST_TEXT
    assert len(str(refused.value)) < LONGEST_TEXT


@pytest.mark.parametrize("written", [ENGLISH, PORTUGUESE], ids=["en", "pt"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_mean_something(example: str, written: NumberFormat) -> None:
    parse(example, written)


@given(st.integers(0, 10**9), st.sampled_from([0, 1, 2, 3, 4, 6]), tags, st.sampled_from(["< ", "&lt;", "≤"]))
def test_a_printed_price_reads_back_as_the_same(micro: int, digits: int, tag: str, side: str) -> None:
    words, written = Words(tag, 0), NUMBERS[tag]
    printed = words.money(micro / MICRO, digits)
    assert abs(parse(side + printed, written).threshold - micro) * 10**digits <= MICRO / 2 + 1
    exact = words.money(micro / MICRO, 6)
    assert parse(side + exact, written).threshold == micro


PIECES = st.sampled_from(
    [*EXAMPLES, "&lt;", "<=", "0.35", ",", ".", "1", " ", "in", "EU", "%", "24h", "floor ", "\u00a0"]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join), tags.map(NUMBERS.__getitem__))
def test_any_text_is_a_condition_or_refused(text: str, written: NumberFormat) -> None:
    try:
        found = parse(text, written)
    except AskError:
        return
    assert 0 <= abs(found.threshold) < 10**27
