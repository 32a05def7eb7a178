import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

import bot.commands
from analytics.evidence import to_json
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.page import addresses

PRICE_OF_4090 = "/api/spot/price/RTX%204090"
PROBLEM = "application/problem+json"


def problem(answer: httpx.Response, status: int) -> dict:
    """The body of an answer that must be a well-formed problem document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:spotbot:problem:")
    assert body["title"]
    assert body["detail"]
    return body


async def test_a_command_made_up_here_answers_with_exactly_the_json_of_its_answer(house, web):
    answer = await web.get(
        PRICE_OF_4090, params={"hours": "3d", "disk": "1.5TB", "workload": "INFERENCE", "spot": "no"}
    )
    command = house.dispatcher.command("price")
    texts = {"gpu_name": "RTX 4090", "hours": "3d", "disk": "1.5TB", "workload": "inference", "spot": "no"}
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == to_json(await house.dispatcher.ask(command, texts)).encode()
    asked = {"hours": 72, "disk": 1500, "gpus": 1, "budget": None, "workload": "inference", "spot": False, "note": None}
    assert answer.json()["asked"] == asked
    assert answer.json()["rates"] == [{"usd": 0.4, "kind": "spot"}, {"usd": 0.8, "kind": "on-demand"}]


@pytest.mark.parametrize("spelt", ["RTX%204090", "rtx%204090", "rtx4090", "4090", "RTX+4090", "%20RTX%204090%20"])
async def test_gpu_names_in_the_path_are_forgiven_their_spelling(web, spelt):
    answer = await web.get(f"/api/spot/price/{spelt}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["gpu_name"] == "RTX 4090"


async def test_a_gpu_that_nobody_knows_is_not_found_and_gets_suggestions(web):
    body = problem(await web.get("/api/spot/price/RTX%204091"), 404)
    assert "RTX 4090" in body["suggestions"]


@pytest.mark.parametrize("spelt", ["GH200%2F96GB", "gh200%2f96gb", "%47H200%2F96GB"])
async def test_a_gpu_name_may_hold_a_slash(house, web, spelt):
    await house.polled(0.7, model="GH200/96GB")
    answer = await web.get(f"/api/spot/price/{spelt}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["gpu_name"] == "GH200/96GB"
    assert 'route="/api/spot/price/{gpu_name}",status="200"' in (await web.get("/metrics")).text
    assert "/api/spot/price/{gpu_name}" in (await web.get("/openapi.json")).json()["paths"]


@pytest.mark.parametrize("path", ["price/GH200/96GB", "price%2FGH200", "price/RTX%204090/", "trouble%2F", "%2Ftrouble"])
async def test_a_slash_elsewhere_still_leads_nowhere(house, web, path):
    await house.polled(0.7, model="GH200/96GB")
    assert problem(await web.get(f"/api/spot/{path}"), 404)["detail"] == "there is nothing at this path"


NAMED = [c for c in bot.commands.COMMANDS if c.shared and "{" in (c.path or "")]


@pytest.mark.parametrize("command", NAMED, ids=lambda c: c.name)
async def test_every_question_with_a_name_in_its_path_finds_a_name_with_a_slash(house, command):
    await house.polled(0.7, model="GH200/96GB")
    house.dispatcher = Dispatcher(house.dispatcher.store, (command,), house.clock)
    async with house.client() as web:
        answer = await web.get(command.path.format_map({command.params[0].name: "GH200%2F96GB"}))
    assert answer.status_code in (200, 409), answer.text


async def test_unknown_parameters_are_refused_with_the_known_names(web):
    body = problem(await web.get(PRICE_OF_4090, params={"hour": "3"}), 400)
    assert "hour" in body["detail"]
    assert {"hours", "disk", "workload"} <= set(body["suggestions"])


@pytest.mark.parametrize("query", ["hours=1&hours=2", "gpu_name=H100"])
async def test_a_parameter_given_twice_is_refused(web, query):
    assert "twice" in problem(await web.get(f"{PRICE_OF_4090}?{query}"), 400)["detail"]


@pytest.mark.parametrize(
    "query", ["hours=0", "hours=nan", "gpus=1.5", "budget=-1", "workload=x", "spot=maybe", "disk=5kg"]
)
async def test_values_that_do_not_fit_are_refused(web, query):
    problem(await web.get(f"{PRICE_OF_4090}?{query}"), 400)


@pytest.mark.parametrize(
    ("what", "status", "kind"),
    [
        ("bad", 400, "bad-question"),
        ("unknown", 404, "not-found"),
        ("down", 503, "market-down"),
        ("refused", 403, "refused"),
        ("store", 503, "store-unavailable"),
        ("fault", 500, "fault"),
    ],
)
async def test_each_kind_of_error_has_its_problem(web, what, status, kind):
    answer = await web.get("/api/spot/trouble", params={"what": what})
    body = problem(answer, status)
    assert body["type"] == f"urn:spotbot:problem:{kind}"
    assert answer.headers["cache-control"] == "no-store"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_question_that_does_not_fit_says_what_would(web):
    body = problem(await web.get("/api/spot/trouble", params={"what": "bad"}), 400)
    assert (body["detail"], body["suggestions"]) == ("9 is too many", ["8"])
    body = problem(await web.get("/api/spot/trouble"), 400)
    assert "what" in body["detail"]


async def test_too_little_history_says_what_is_there_what_is_needed_and_when(house):
    async with house.client() as web:
        body = problem(await web.get(PRICE_OF_4090), 409)
    assert (body["have"], body["need"], body["ready_at"]) == ("0 polls", "1 poll", "2026-03-01T12:05:00Z")


async def test_a_fault_is_logged_with_its_traceback_under_the_id_that_the_asker_gets(web):
    with capture_logs() as logs:
        body = problem(await web.get("/api/spot/trouble", params={"what": "fault"}), 500)
    (entry,) = [entry for entry in logs if entry["event"] == "http_fault"]
    assert entry["id"] == body["id"]
    assert entry["id"] in body["detail"]
    assert entry["route"] == "/api/spot/trouble"
    assert entry["exception"].startswith("Traceback")
    assert "/secret/zero" in entry["exception"]


async def test_what_the_store_says_goes_to_the_log_only(web):
    with capture_logs() as logs:
        answer = await web.get("/api/spot/trouble", params={"what": "store"})
    assert "/secret/place" in str(logs)
    assert int(answer.headers["retry-after"]) > 0


async def test_unknown_paths_name_the_nearest(web):
    body = problem(await web.get("/api/spot/troubel"), 404)
    assert body["suggestions"][0] == "/api/spot/trouble"
    for path in ("/docs", "/redoc", "/api/spot/price/", "/api/spot/trouble/", "/x//", "/api/spot/price/a%2Fb"):
        problem(await web.get(path), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_get_and_head_are_answered(web, method):
    answer = await web.request(method, PRICE_OF_4090)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert (await web.head(PRICE_OF_4090)).status_code == 200


async def test_an_address_of_many_kilobytes_is_refused(web):
    problem(await web.get(PRICE_OF_4090, params={"note": "x" * 5000}), 414)
    problem(await web.get(PRICE_OF_4090, params={"note": "x" * 500}), 400)


@pytest.mark.parametrize("host", ["[::", "[", "a b", "x:port", "\u00e9".encode(), "@", ""])
async def test_a_strange_host_header_changes_nothing(web, host):
    assert (await web.get(PRICE_OF_4090, headers={"Host": host})).status_code == 200
    problem(await web.get("/nowhere", headers={"Host": host}), 404)


async def test_an_unchanged_answer_is_not_sent_again(house, web):
    first = await web.get(PRICE_OF_4090)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await web.get(PRICE_OF_4090, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await web.get(PRICE_OF_4090, headers={"If-None-Match": '"other"'})).status_code == 200
    house.clock.now += 300
    await house.polled(0.41)
    changed = await web.get(PRICE_OF_4090, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_every_answer_carries_the_headers_that_keep_browsers_from_guessing(web):
    for path in (
        PRICE_OF_4090,
        "/api/spot/trouble?what=fault",
        "/nowhere",
        "/",
        "/health",
        "/metrics",
        "/openapi.json",
    ):
        headers = (await web.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_valid_key_opens_and_its_quota_is_told_on_every_answer(house):
    await house.polled()
    async with house.client(await house.key(per_minute=4)) as web:
        paths = [PRICE_OF_4090, "/api/spot/trouble?what=bad", "/api/spot/trouble?what=fault", PRICE_OF_4090]
        answers = [await web.get(path) for path in paths]
        assert [answer.status_code for answer in answers] == [200, 400, 500, 200]
        assert {answer.headers["ratelimit-limit"] for answer in answers} == {"4"}
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0"]
        assert [answer.headers["ratelimit-reset"] for answer in answers] == ["15", "30", "45", "60"]
        spent = await web.get(PRICE_OF_4090)
        assert "4" in problem(spent, 429)["detail"]
        assert (spent.headers["retry-after"], spent.headers["ratelimit-remaining"]) == ("15", "0")
        house.clock.now += 15
        assert (await web.get(PRICE_OF_4090)).status_code == 200


async def test_without_a_key_nothing_is_answered_but_the_open_paths(house):
    await house.polled()
    async with house.client(require_key=True) as web:
        answer = await web.get(PRICE_OF_4090)
        problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "ratelimit-limit" not in answer.headers
        for path in ("/", "/health", "/metrics", "/openapi.json"):
            assert (await web.get(path)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        b"Bearer spot_" + b"A" * 43,
        b"Bearer",
        b"Basic c3BvdDpzcG90",
        b"Bearer spot_\xff\xfe\x00",
        "Bearer spot_schlüssel".encode(),
        b"Bearer " + b"x" * 10_000,
        b"\t",
    ],
)
async def test_a_bad_key_is_refused_whatever_it_looks_like(house, header):
    async with house.client(require_key=True) as web:
        answer = await web.get(PRICE_OF_4090, headers=[(b"authorization", header)])
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_opens_nothing_any_more(house):
    await house.polled()
    secret = await house.key()
    async with house.client(secret) as web:
        assert (await web.get(PRICE_OF_4090)).status_code == 200
        async with house.dispatcher.store.writer() as writer:
            assert await writer.revoke_key(1, house.clock.now)
        problem(await web.get(PRICE_OF_4090), 401)


@pytest.mark.parametrize("scopes", [(), ("alerts", "webhooks"), ("reading",)])
async def test_a_key_without_the_scope_to_read_gets_no_answer(house, scopes):
    await house.polled()
    async with house.dispatcher.store.writer() as writer:
        secret, _ = await writer.create_key("narrow", scopes=scopes, per_minute=60, at=house.clock.now)
    async with house.client(secret) as web:
        answer = await web.get(PRICE_OF_4090)
        assert "read" in problem(answer, 403)["detail"]
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="read"'
        assert (await web.get("/health")).status_code == 200


async def test_the_scheme_of_the_key_may_be_written_in_any_case(house):
    await house.polled()
    secret = await house.key()
    async with house.client(require_key=True) as web:
        for scheme in ("bearer", "BEARER", "Bearer"):
            answer = await web.get(PRICE_OF_4090, headers={"Authorization": f"{scheme} {secret}"})
            assert answer.status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gpu=st.text(max_size=30), query=st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=3))
async def test_nothing_that_can_be_typed_is_a_fault(web, gpu, query):
    answer = await web.get(f"/api/spot/price/{quote(gpu, safe='')}", params=query)
    assert answer.status_code in (200, 400, 404, 409)
    json.loads(answer.content)


QUESTIONS = [
    command for command in bot.commands.COMMANDS if command.shared and command.path and command.name != "status"
]


@pytest.mark.parametrize("command", QUESTIONS, ids=lambda command: command.name)
async def test_on_an_empty_store_every_question_says_not_yet_and_no_number(house, command):
    dispatcher = Dispatcher(house.dispatcher.store, (command,), house.clock)
    (address, *_) = addresses(await dispatcher.line_reader(), command.examples)
    house.dispatcher = dispatcher
    async with house.client() as web:
        body = problem(await web.get(address), 409)
    assert body["have"]
    assert body["need"]
    assert [key for key, value in body.items() if isinstance(value, int | float)] == ["status"]
