"""What endpoints are told: one envelope, and what each event holds. The schemas are part of the HTTP document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from analytics.evidence import iso
from analytics.market import MICRO
from bot.alerts.codec import load_rule
from bot.alerts.condition_text import condition_text
from bot.alerts.descriptions import describe, measured
from bot.alerts.explain import plain_value
from bot.alerts.places import is_group
from bot.alerts.rules import PPM
from bot.outbox.drafts import Draft, Event, Rendered
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.store.webhooks import CHALLENGE, FIRED, PRICE, RESOLVED, TEST


class EventEvidence(BaseModel):
    """What the figures rest on."""

    as_of: datetime = Field(description="time of the poll, UTC")
    method: str = Field(description="what was computed, in words")
    offers: int | None = Field(description="rentable verified offers of that poll; null where it was not counted")


class OfferData(BaseModel):
    """A machine that a rule on offers tells of."""

    machine_id: int
    offer_id: int | None
    num_gpus: int
    price: float = Field(description="USD per GPU-hour, with the disk that the rule asks for")
    region: str
    reliability: float | None = Field(description="of the host, 0 to 1")
    rentable_until: datetime | None


class AlertData(BaseModel):
    """An alert that fired or ended."""

    id: str = Field(description="the alert's name, as in chat")
    episode: int = Field(description="which time it fires; its end has the same number")
    gpu_name: str
    region: str = Field(description="empty for the whole world")
    rule: str = Field(description="the rule in a sentence")
    condition: str = Field(description="the condition as one would type it")
    value: float | None = Field(description="what was measured: USD per GPU-hour, GPUs, or percent, by the condition")
    threshold: float | None
    since: datetime | None = Field(description="when the condition was first met")
    offers: list[OfferData] | None = Field(description="of a rule on offers: the cheapest of the machines it tells of")
    evidence: EventEvidence


class PriceData(BaseModel):
    """A spot price that changed by as much as the endpoint asked for."""

    gpu_name: str
    price: float = Field(description="current price, USD per GPU-hour: the median of rentable verified bids")
    previous_price: float = Field(description="the price of the event before, or of the poll that began the count")
    change_percent: float
    floor: float | None = Field(description="the lowest bid, USD per GPU-hour")
    gpus: int = Field(description="GPUs that can be rented")
    evidence: EventEvidence


class TestData(BaseModel):
    """Somebody asked for a test."""

    message: str


class ChallengeData(BaseModel):
    """To be answered with the same text, or with {"challenge": text}, before any other event is sent."""

    challenge: str


Data = TypeVar("Data", bound=BaseModel)


class Envelope(BaseModel, Generic[Data]):
    """What is posted. The id of the event is in the header webhook-id: the same at each attempt."""

    type: str
    timestamp: datetime = Field(description="when it happened, UTC")
    data: Data


class AlertFired(Envelope[AlertData]):
    """An alert fired, or a rule on offers has new machines."""

    type: Literal["alert.fired"]


class AlertResolved(Envelope[AlertData]):
    """What an alert told of is over. Always after its alert.fired."""

    type: Literal["alert.resolved"]


class PriceChanged(Envelope[PriceData]):
    """At most one a poll and model."""

    type: Literal["price.changed"]


class WebhookTest(Envelope[TestData]):
    """Sent by ``webhook test``."""

    type: Literal["webhook.test"]


class WebhookChallenge(Envelope[ChallengeData]):
    """The first event of an endpoint."""

    type: Literal["webhook.challenge"]


MODELS: Mapping[str, type[Envelope[Any]]] = {
    FIRED: AlertFired,
    RESOLVED: AlertResolved,
    PRICE: PriceChanged,
    TEST: WebhookTest,
    CHALLENGE: WebhookChallenge,
}
"""The schema of each event."""


async def render(draft: Draft) -> Rendered:
    """The message of an event, for programs alone."""
    return Rendered(Card("", ""), data=envelope(draft.events[0]))


def envelope(event: Event) -> dict[str, Any]:
    """What is posted of a stored event: the same at each attempt."""
    data, at = _DATA[event.kind](event.payload)
    model = MODELS[event.kind].model_validate({"type": event.kind, "timestamp": iso(at), "data": data})
    return model.model_dump(mode="json")


def _alert(payload: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    rule, event = load_rule(payload["rule"]), payload["event"]
    words = Words("en", event["at"])
    region = rule.series.region
    data = {
        "id": payload["alert"],
        "episode": event["episode"],
        "gpu_name": rule.series.model,
        "region": region.removesuffix("-*") if is_group(region) else region,
        "rule": words(describe(rule)),
        "condition": condition_text(rule),
        "value": plain_value(rule, event["value"]),
        "threshold": plain_value(rule, rule.threshold),
        "since": None if event["since"] is None else iso(event["since"]),
        "offers": None if event.get("offers") is None else [_offer(one) for one in event["offers"]],
        "evidence": {"as_of": iso(event["at"]), "method": words(measured(rule.series)), "offers": None},
    }
    return data, event["at"]


def _dollars(micro: int | None) -> float | None:
    """Programs compare prices, so they are told all of them; answers for people round."""
    return None if micro is None else micro / MICRO


def _offer(match: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "machine_id": match["machine_id"],
        "offer_id": match["offer_id"],
        "num_gpus": match["num_gpus"],
        "price": _dollars(match["price"]),
        "region": match["region"],
        "reliability": None if match["reliability_ppm"] is None else match["reliability_ppm"] / PPM,
        "rentable_until": None if match["end_date"] is None else iso(match["end_date"]),
    }


def _price(payload: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    price, before = payload["price"], payload["before"]
    data = {
        "gpu_name": payload["gpu"],
        "price": _dollars(price),
        "previous_price": _dollars(before),
        "change_percent": round(100 * (price - before) / before, 2),
        "floor": _dollars(payload["floor"]),
        "gpus": payload["gpus"],
        "evidence": {
            "as_of": iso(payload["at"]),
            "method": "median bid of rentable verified offers, worldwide",
            "offers": payload["offers"],
        },
    }
    return data, payload["at"]


def _test(payload: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    return {"message": "This is a test of spotbot."}, payload["at"]


def _challenge(payload: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    return {"challenge": ""}, payload["at"]  # the sender knows what is sealed


_DATA: Mapping[str, Callable[[Mapping[str, Any]], tuple[dict[str, Any], int]]] = {
    FIRED: _alert,
    RESOLVED: _alert,
    PRICE: _price,
    TEST: _test,
    CHALLENGE: _challenge,
}
