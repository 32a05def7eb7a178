"""Units and currencies by the names that people give them, in English and Portuguese."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

Units = Mapping[str, float]
"""The units that a number may have, in lower case, and how many of the first one each is; "" stands for none."""


def _named(table: Mapping[str, float], *, bare: bool = True) -> dict[str, float]:
    """Units by each of their names; ``bare``: a number without one counts in the first."""
    found = {name: factor for names, factor in table.items() for name in names.split()}
    return {"": 1.0} | found if bare else found


_SECOND, _MINUTE, _DAY, _WEEK = 1 / 3600, 1 / 60, 24.0, 168.0
"""Hours of each (source: what the words mean)."""

_GIB, _TIB = 1.073741824, 1099.511627776
"""Gigabytes of a gibibyte and of a tebibyte (source: IEC 80000-13)."""

_TIMES: Mapping[str, float] = {
    "h hr hrs hour hours hora horas gpu-h gpu-hour gpu-hours": 1.0,
    "s sec secs second seconds seg segundo segundos": _SECOND,
    "m min mins minute minutes minuto minutos": _MINUTE,
    "d day days dia dias": _DAY,
    "w week weeks semana semanas": _WEEK,
}
NO_UNITS: Units = {"": 1.0}
PERCENT: Units = {"": 1.0, "%": 1.0}
_GPU_HOURS = dict.fromkeys(("gpu hour", "gpu hours", "hora de gpu", "horas de gpu"), 1.0)
HOURS = _named(_TIMES) | _GPU_HOURS
HOURS_PER_MONTH: Units = HOURS | {
    f"{hours}/{month}": 1.0 for hours in ("h", "hours", "horas") for month in ("month", "mo", "mês", "mes")
}
MINUTES: Units = {unit: hours / _MINUTE for unit, hours in _named(_TIMES, bare=False).items()} | {"": 1.0}
SHARE: Units = {"": 1.0, "%": 1 / 100}
TIMES: Units = {"": 1.0, "x": 1.0, "×": 1.0}
TOKENS = _named(
    {
        "tokens token": 1.0,
        "k thousand mil": 1000.0,
        "m million millions milhão milhões milhoes": 1_000_000.0,
        "b bn billion billions bilhão bilhões bilhoes": 1e9,
        "t trillion trillions trilhão trilhões trilhoes": 1e12,
    }
)
"""Counts of tokens (source: what the words mean)."""
PERIOD_HOURS = _named(_TIMES, bare=False)
"""Hours again, where a bare number might as well be days."""
DAYS = _named(
    {
        "d day days dia dias": 1.0,
        "w week weeks semana semanas": _WEEK / _DAY,
        "h hr hrs hour hours hora horas": 1 / _DAY,
    }
)
GIGABYTES = _named({"gb g": 1.0, "gib": _GIB, "mb": 1 / 1000, "tb": 1000.0, "tib": _TIB})
"""Sizes (source: SI prefixes; disks and datasets are sold so)."""
GPUS = _named({"gpus gpu x ×": 1.0})
BEFORE_GPUS = ("×", "x")
"""What may stand before a count of GPUs."""

DOLLARS = ("us$", "us $", "u$s", "u$", "usd", "$")
"""What may stand before an amount in USD, longer ones first."""
_DOLLARS = ("", *DOLLARS, "dollar", "dollars", "dólar", "dólares", "dolar", "dolares", "us dollars")


def _amounts(*periods: str) -> Units:
    """USD, said or not, a period, said or not."""
    return {dollars + period: 1.0 for dollars, period in itertools.product(_DOLLARS, ("", *periods))}


USD = _amounts()
USD_PER_HOUR = _amounts(
    "/h", "/hr", "/hour", "/hora", "/gpu-h", "/gpu-hour", "/gpu/h", "/gpu/hr", "/gpu/hour", "/gpu-hora", "/gpu/hora"
)
USD_PER_MONTH = _amounts("/month", "/mo", "/mês", "/mes")

_CURRENCIES: Mapping[str, str] = {
    "€ eur euro euros": "EUR",
    "r$ brl real reais": "BRL",
    "£ gbp pound pounds libra libras": "GBP",
    "¥ jpy yen iene ienes": "JPY",
    "₹ inr rupee rupees rúpia rúpias": "INR",
    "cny rmb yuan": "CNY",
    "ca$ c$ cad": "CAD",
    "au$ a$ aud": "AUD",
    "mx$ mxn": "MXN",
    "chf": "CHF",
    "sek": "SEK",
    "pln zł": "PLN",
    "₽ rub": "RUB",
    "₩ krw": "KRW",
    "hk$ hkd": "HKD",
    "nz$ nzd": "NZD",
    "s$ sgd": "SGD",
    "rs": "INR",
    "₺": "TRY",
    "nok": "NOK",
    "dkk": "DKK",
    "ars": "ARS",
    "clp": "CLP",
}
_FOREIGN = {sign: code for signs, code in _CURRENCIES.items() for sign in signs.split()}
_ANY_FOREIGN = "|".join(re.escape(sign) for sign in sorted(_FOREIGN, key=len, reverse=True))
_FOREIGN_AMOUNT = re.compile(
    rf"(?<![\w$])(?:(?P<before>{_ANY_FOREIGN}) ?[0-9.,]*[0-9]|[0-9][0-9.,]* ?(?P<after>{_ANY_FOREIGN}))(?![\w$])",
    re.IGNORECASE,
)


_PERIOD = r"(?:\s*(?:/|\b(?:per|an?|por|ao)\b)\s*\w+)?"


def foreign_currency(text: str) -> str | None:
    """The code of the currency that an amount in this text is in; None where that may be the US dollar."""
    found = _FOREIGN_AMOUNT.search(text)
    return _FOREIGN[(found["before"] or found["after"]).lower()] if found else None


def is_foreign_amount(text: str) -> bool:
    """Whether a text is an amount in another currency and nothing else."""
    return re.fullmatch(rf"{_FOREIGN_AMOUNT.pattern}{_PERIOD}", text.strip(), re.IGNORECASE) is not None
