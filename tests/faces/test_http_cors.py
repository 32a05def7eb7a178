"""Web pages of other origins: nothing without a setting, and with it what browsers ask for, on errors too."""

from __future__ import annotations

import pytest

from bot.config import BadSettings, load_settings
from bot.faces.http.api import ForBrowsers
from tests.faces.test_http import PRICE_OF_4090, problem

PAGE = "https://app.example.com"
ALLOWED = "access-control-allow-origin"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


async def test_no_page_may_call_unless_the_operator_says_so(house):
    await house.polled()
    async with house.client() as web:
        answer = await web.get(PRICE_OF_4090, headers={"Origin": PAGE})
        problem(await web.options(PRICE_OF_4090, headers=PREFLIGHT), 405)
    assert answer.status_code == 200
    assert [name for name in answer.headers if name.startswith("access-control")] == []


async def test_a_preflight_needs_no_key_and_names_what_may_be_sent(house):
    async with house.client(require_key=True, browsers=ForBrowsers(origins=(PAGE,))) as web:
        answer = await web.options(PRICE_OF_4090, headers=PREFLIGHT)
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, PAGE)
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == {"GET", "HEAD", "POST", "PATCH", "DELETE"}
    sent = {name.lower() for name in answer.headers["access-control-allow-headers"].split(", ")}
    assert {"authorization", "content-type", "idempotency-key", "if-none-match"} <= sent
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.com.evil.example", "null", "http://app.example.com"]
)
async def test_pages_of_other_origins_are_not_let_through(house, origin):
    await house.polled()
    async with house.client(browsers=ForBrowsers(origins=(PAGE,))) as web:
        asked = await web.options(PRICE_OF_4090, headers={**PREFLIGHT, "Origin": origin})
        answer = await web.get(PRICE_OF_4090, headers={"Origin": origin})
    assert asked.status_code == 400
    assert ALLOWED not in {**asked.headers, **answer.headers}


async def test_a_page_may_read_the_quota_and_the_tag_of_an_answer(house):
    await house.polled()
    async with house.client(await house.key(), browsers=ForBrowsers(origins=("http://127.0.0.1:3000", PAGE))) as web:
        answer = await web.get(PRICE_OF_4090, headers={"Origin": PAGE})
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert answer.headers[ALLOWED] == PAGE
    assert "Origin" in answer.headers["vary"]
    assert {"ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= exposed


async def test_pages_may_read_errors_too(house):
    key = await house.key(per_minute=2)
    headers = {"Origin": PAGE}
    async with house.client(key, browsers=ForBrowsers(origins=(PAGE,))) as web:
        answers = [
            await web.get("/api/spot/nothing", headers=headers),
            await web.get("/api/spot/trouble?what=unknown", headers=headers),
            await web.get("/api/spot/trouble?what=fault", headers=headers),
            await web.get("/api/spot/trouble?what=bad", headers=headers),
            await web.get("/api/spot/trouble?what=bad", headers={**headers, "Authorization": "Bearer spot_no"}),
        ]
    for answer, status in zip(answers, (404, 404, 500, 429, 401), strict=True):
        problem(answer, status)
        assert answer.headers[ALLOWED] == PAGE
    assert answers[3].headers["retry-after"]


def origins(text: str) -> tuple[str, ...]:
    return load_settings(SPOTBOT_CORS_ORIGINS=text, _env_file=None).cors_origins


def test_origins_are_read_with_commas_between_them_each_once():
    assert origins(f" {PAGE}, http://127.0.0.1:3000 ,{PAGE},http://[::1]:8000,") == (
        *(PAGE, "http://127.0.0.1:3000", "http://[::1]:8000"),
    )
    assert origins("  ") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*", "“*” is no exact origin; write each origin as browsers send it: https://app.example.com"),
        ("https://*.example.com", "is no exact origin"),
        ("null", "is no exact origin"),
        ("app.example.com", "is no origin"),
        ("ftp://app.example.com", "is no origin"),
        ("https://", "is no origin"),
        ("https://a b", "is no origin"),
        ("https://me@app.example.com", "is no origin"),
        ("https://app.example.com:99999", "is no origin"),
        ("https://app.example.com/", "is not what browsers send; write https://app.example.com"),
        ("https://App.example.com/page?x#y", "is not what browsers send; write https://app.example.com"),
        ("https://app.example.com:443", "is not what browsers send; write https://app.example.com"),
        ("http://app.example.com:080", "is not what browsers send; write http://app.example.com"),
    ],
)
def test_what_is_no_exact_origin_is_refused_at_the_start_with_what_to_write(text, told):
    with pytest.raises(BadSettings) as caught:
        origins(f"{PAGE},{text}")
    assert str(caught.value).startswith("SPOTBOT_CORS_ORIGINS: ")
    assert told in str(caught.value)
