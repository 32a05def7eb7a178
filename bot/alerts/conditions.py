"""What people write as a condition: ``< 0.35``, ``drops 10% in 24h``, ``new low 30d``, ``risk > 20% in 24h``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.market import DAY, HOUR, MICRO, WORLD
from analytics.quantities import ENGLISH, NumberFormat, read_decimal, rewritten
from analytics.typed_text import plain_text
from analytics.units import foreign_currency
from bot.alerts.offer_filters import FILTER, LONGEST_NUMBER, OFFER_WORDS, read_filters
from bot.alerts.places import region_named
from bot.alerts.rules import PPM, Direction, Kind, Metric, OfferFilter

EXAMPLES = (
    "< 0.35",
    "> 0.5",
    "crosses 0.40",
    "drops 10% in 24h",
    "rises 15% in 6h",
    "new low 30d",
    "available >= 8 in EU",
    "risk > 20% in 24h",
    "predicted < 0.30 in 24h with 80%",
    "offer < 0.30 gpus>=2 region=EU reliability>=0.98 disk=100GB",
)
"""One of each."""

LONGEST_TEXT = 200
"""Characters of a condition: longer texts are none (ours: the longest that mean something have fifty)."""

USUAL_LEVEL = 800_000
"""The probability of a prediction that says none, in ppm (source: definitions, "Forecasts": ranges are of 80 %)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition without its model."""

    kind: Kind
    threshold: int
    direction: Direction
    metric: Metric = Metric.CURRENT
    region: str = WORLD
    window: int = 0
    at_threshold: bool = False
    level: int = 0
    """the probability of a prediction, in ppm"""
    offer: OfferFilter | None = None


_SIGNS = {"≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "=<": "<=", "=>": ">="}
_METRICS: Mapping[str, Metric] = {
    **dict.fromkeys(("floor", "cheapest", "piso", "mínimo", "minimo"), Metric.FLOOR),
    **dict.fromkeys(("on-demand", "on demand", "ondemand", "sob demanda"), Metric.ON_DEMAND),
    **dict.fromkeys(("price", "current", "spot", "median", "preço", "preco", "mediana", "atual"), Metric.CURRENT),
}
_SIDES: Mapping[str, tuple[Direction, bool]] = {
    **dict.fromkeys(("<", "below", "under", "less than", "abaixo de", "abaixo", "menos de"), (Direction.BELOW, False)),
    **dict.fromkeys(("<=", "at most", "no máximo", "no maximo"), (Direction.BELOW, True)),
    **dict.fromkeys((">", "above", "over", "more than", "acima de", "acima", "mais de"), (Direction.ABOVE, False)),
    **dict.fromkeys((">=", "at least", "no mínimo", "no minimo"), (Direction.ABOVE, True)),
}
_UNITS_S: Mapping[str, int] = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hora", "horas"), HOUR),
    **dict.fromkeys(("d", "day", "days", "dia", "dias"), DAY),
    **dict.fromkeys(("w", "week", "weeks", "semana", "semanas"), 7 * DAY),
}
_DOWN = ("drops", "drop", "falls", "fall", "cai", "cair", "queda de")
_UP = ("rises", "rise", "climbs", "sobe", "subir", "alta de")


def parse(text: str, written: NumberFormat = ENGLISH) -> Condition:
    """The condition that a text means; raises AskError with examples where it means none."""
    plain = _plain(text) if len(text) <= LONGEST_TEXT else ""
    for form, make in _FORMS:
        match = form.fullmatch(plain)
        if match:
            return make(match, written)
    shown = "".join(c for c in text if c.isprintable())[:60]
    currency = foreign_currency(plain)
    if currency:
        raise AskError(
            Note("“{given}” is in {currency}; amounts are in US dollars", {"given": shown, "currency": currency})
        )
    raise AskError(Note("“{given}” is no condition that can be watched", {"given": shown}), suggestions=EXAMPLES)


def _plain(text: str) -> str:
    """As one would type it: signs in ASCII, single spaces, no quotation marks, nothing that is not seen."""
    typed = plain_text(text).replace('"', " ").strip(" '").lower()
    for sign, meant in _SIGNS.items():
        typed = typed.replace(sign, meant)
    return " ".join(re.sub(r"(<=|>=|<|>)", r" \1 ", typed).split()).rstrip(".,;!")


def _number(match: re.Match[str], written: NumberFormat, group: str = "number") -> Decimal:
    number = read_decimal(match[group], written)
    if number is None or len(match[group]) > LONGEST_NUMBER:
        note = Note("“{given}” is not a number", {"given": match[group]})
        raise AskError(note, suggestions=rewritten(match[group], written) or written.samples)
    return number


def _probability(match: re.Match[str], written: NumberFormat, group: str = "number") -> int:
    """In ppm: a percentage with its sign, or a share of 1; "with 80" could be either."""
    number = _number(match, written, group)
    if not match["percent"] and number > 1:
        note = Note("“{given}” is no probability: say it with %, or as a share of 1", {"given": match[group]})
        raise AskError(note, suggestions=("80%", "0.8"))
    share = number / 100 if match["percent"] else number
    return _whole(share * PPM, Note("a probability is told to a ten-thousandth of a percent"))


def _whole(value: Decimal, finest: Note) -> int:
    if value != value.to_integral_value():
        raise AskError(finest)
    return int(value)


def _micro(match: re.Match[str], written: NumberFormat) -> int:
    return _whole(_number(match, written) * MICRO, Note("prices are told to a millionth of a dollar"))


def _region(match: re.Match[str]) -> str:
    return WORLD if match["place"] is None else region_named(match["place"])


def _seconds(match: re.Match[str]) -> int:
    unit = _UNITS_S.get(match["unit"])
    if unit is None:
        note = Note("“{given}” is no unit of time", {"given": match["unit"]})
        raise AskError(note, suggestions=("24h", "7d", "2w"))
    return int(match["span"]) * unit


def _metric(match: re.Match[str]) -> Metric:
    return _METRICS[match["metric"] or "price"]


def _price(match: re.Match[str], written: NumberFormat) -> Condition:
    direction, at_threshold = _SIDES[match["side"]]
    kind = Kind.BELOW if direction is Direction.BELOW else Kind.ABOVE
    threshold = _micro(match, written)
    return Condition(kind, threshold, direction, _metric(match), _region(match), at_threshold=at_threshold)


def _crosses(match: re.Match[str], written: NumberFormat) -> Condition:
    up = match["way"] in ("above", "up", "acima", "acima de", "para cima")
    direction = Direction.ABOVE if up else Direction.BELOW
    return Condition(Kind.CROSSES, _micro(match, written), direction, _metric(match), _region(match))


def _moves(match: re.Match[str], written: NumberFormat) -> Condition:
    finest = Note("a change is told to a ten-thousandth of a percent")
    change = _whole(_number(match, written) * PPM / 100, finest)
    window = _seconds(match)
    if match["move"] in _DOWN:
        return Condition(Kind.DROPS, PPM - change, Direction.BELOW, _metric(match), window=window)
    return Condition(Kind.RISES, PPM + change, Direction.ABOVE, _metric(match), window=window)


def _new_low(match: re.Match[str], written: NumberFormat) -> Condition:
    return Condition(Kind.NEW_LOW, PPM, Direction.BELOW, _metric(match), window=_seconds(match))


def _available(match: re.Match[str], written: NumberFormat) -> Condition:
    gpus = _whole(_number(match, written), Note("GPUs are counted in whole numbers")) + (match["side"] == ">")
    return Condition(Kind.AVAILABLE, gpus, Direction.ABOVE, region=_region(match))


def _risk(match: re.Match[str], written: NumberFormat) -> Condition:
    direction, at_threshold = _SIDES[match["side"]]
    threshold, window = _probability(match, written), _seconds(match)
    return Condition(Kind.RISK_ABOVE, threshold, direction, window=window, at_threshold=at_threshold)


def _predicted(match: re.Match[str], written: NumberFormat) -> Condition:
    direction, at_threshold = _SIDES[match["side"]]
    level = _probability(match, written, "chance") if match["chance"] else USUAL_LEVEL
    threshold, window = _micro(match, written), _seconds(match)
    return Condition(Kind.PREDICTED_BELOW, threshold, direction, window=window, at_threshold=at_threshold, level=level)


def _sides(direction: Direction) -> str:
    return _any_of({word: side for word, side in _SIDES.items() if side[0] is direction})


def _offer(match: re.Match[str], written: NumberFormat) -> Condition:
    at_threshold = _SIDES[match["side"]][1]
    filters = read_filters(match["filters"], written)
    threshold = _micro(match, written)
    if match["place"] is not None and filters.region is not None:
        raise AskError(Note("{name} was given twice", {"name": "region"}))
    region = _region(match) if filters.region is None else filters.region
    return Condition(
        Kind.OFFER, threshold, Direction.BELOW, region=region, at_threshold=at_threshold, offer=filters.offer
    )


def _any_of(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_NUMBER = r"(?P<number>[0-9.,]+)"
_MONEY = rf"(?:us)?\$? ?{_NUMBER} ?(?:usd|us\$|\$)?(?: ?(?:/|per|an?|por|ao) ?(?:gpu[-/ ]?)?(?:h|hr|hour|hora))?"
_SPAN = r"(?P<span>[0-9]{1,4}) ?(?P<unit>[a-z]+)"
_WITHIN = r"(?:in|within|over|em|dentro de)"
_PLACE = r"(?: (?:in|em|na|no) (?P<place>[^\d<>=]+))?"
_METRIC = rf"(?:(?P<metric>{_any_of(_METRICS)}) )?"
_PLACE_FIRST = rf"(?: (?:in|em|na|no) (?P<place>(?:(?! {FILTER})[^\d<>=])+))?"
_LOW = r"(?:new low|novo mínimo|novo minimo|nova mínima|nova minima|mínima|minima)"
_CROSS = r"(?:crosses|crossing|cross|cruza|cruzar)"
_WAY = r"(?: (?P<way>above|below|up|down|acima de|abaixo de|acima|abaixo|para cima|para baixo))?"
_RISK = r"(?:(?:interruption )?risk|risk of interruption|risco(?: de interrup[çc][ãa]o)?)"
_FORETOLD = r"(?:predicted|forecast|previst[oa]|previs[ãa]o)"
_OF = r"(?:(?:a )?(?:probability|probabilidade|chance)(?: of| de)? )?"
_CHANCE = rf"(?: (?:with|at|com) {_OF}(?P<chance>[0-9.,]+) ?(?P<percent>%)?)?"
_FREE = r"(?:available|free|disponíveis|disponiveis|disponível|disponivel|livres)"
_BELOW = _any_of({word: side for word, side in _SIDES.items() if side[0] is Direction.BELOW})
_OFFER = f"(?:{'|'.join(OFFER_WORDS)})"
_OFFER_MONEY = _MONEY.replace("[0-9.,]+", "[0-9.,]*[0-9]")  # a comma behind it separates
_FILTERS = rf"(?P<filters>(?:[ ,;]+{FILTER}.*)?)"
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], NumberFormat], Condition]], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (rf"{_METRIC}(?P<side>{_any_of(_SIDES)}) ?{_MONEY}{_PLACE}", _price),
        (rf"{_METRIC}{_CROSS}{_WAY} {_MONEY}{_PLACE}", _crosses),
        (rf"{_METRIC}(?P<move>{'|'.join((*_DOWN, *_UP))}) {_NUMBER} ?% {_WITHIN} {_SPAN}", _moves),
        (rf"{_METRIC}{_LOW}(?: {_WITHIN}| of| de)? ?{_SPAN}", _new_low),
        (rf"{_FREE}(?: (?P<side>>=|>|at least|no mínimo|no minimo))? {_NUMBER}(?: gpus?)?{_PLACE}", _available),
        (rf"{_RISK} (?P<side>{_sides(Direction.ABOVE)}) ?{_NUMBER} ?(?P<percent>%)? {_WITHIN} {_SPAN}", _risk),
        (rf"{_FORETOLD} (?P<side>{_sides(Direction.BELOW)}) ?{_MONEY} {_WITHIN} {_SPAN}{_CHANCE}", _predicted),
        (rf"{_OFFER} (?P<side>{_BELOW}) ?{_OFFER_MONEY}{_PLACE_FIRST}{_FILTERS}", _offer),
    )
)
"""What may be written, tried in this order, and what it means."""
