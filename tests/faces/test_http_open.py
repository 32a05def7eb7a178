"""What needs no key: the OpenAPI document, health, metrics, the page; and the server that carries it all."""

import asyncio
import base64
import contextlib
import enum
import hashlib
import re
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, make_dataclass, replace
from typing import Any

import httpx
import pytest

import bot.commands
from analytics.evidence import Basis, Evidence, Note, plain
from analytics.market import Quality
from analytics.units import GIGABYTES, HOURS
from bot.dispatch.kinds import with_unit
from bot.faces.http.api import build_api, serve, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.http.openapi import answer_schemas, document

UNITS = (GIGABYTES, HOURS)


async def described(house, **options: Any) -> dict:
    async with house.client(**options) as web:
        answer = await web.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        return answer.json()


async def test_a_command_made_up_here_is_in_the_document_with_its_parameters_by_kind(house):
    operation = (await described(house))["paths"]["/api/spot/price/{gpu_name}"]["get"]
    told = {param["name"]: param for param in operation["parameters"]}
    text = {"type": "string", "maxLength": 200}
    disk, hours = ({"anyOf": [{"type": "number"}, {**text, "pattern": with_unit(some)}]} for some in UNITS)
    hours["anyOf"][0] |= {"minimum": 1, "maximum": 8760}
    assert (told["gpu_name"]["in"], told["gpu_name"]["required"]) == ("path", True)
    assert {name: param["in"] for name, param in told.items() if param["in"] != "query"} == {"gpu_name": "path"}
    assert told["hours"]["description"] == "how long"
    assert {name: param["schema"] for name, param in told.items()} == {
        "gpu_name": {**text, "minLength": 1},
        "hours": {**hours, "default": 100.0},
        "disk": disk,
        "gpus": {"type": "integer", "minimum": 1, "maximum": 64, "default": 1},
        "budget": {"type": "number", "minimum": 0},
        "workload": {"type": "string", "enum": ["training", "inference"], "default": "training"},
        "spot": {"type": "boolean"},
        "note": {**text, "examples": ["mine"]},
    }


async def test_the_document_says_which_questions_need_a_key(house):
    with_key, without = await described(house, require_key=True), await described(house)
    assert with_key["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert with_key["paths"]["/api/spot/trouble"]["get"]["security"] == [{"key": []}]
    assert without["paths"]["/api/spot/trouble"]["get"]["security"] == []
    assert with_key["paths"]["/health"]["get"]["security"] == []


def fits(value: Any, schema: dict, components: dict) -> bool:
    """Whether a JSON value is what a schema promises: as much of JSON Schema as the document uses."""
    if "$ref" in schema:
        return fits(value, components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        return any(fits(value, some, components) for some in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if "const" in schema:
        return bool(value == schema["const"])
    if schema.get("type") == "array":
        if not isinstance(value, list):
            return False
        forms = schema.get("prefixItems") or [schema["items"]] * len(value)
        return len(forms) == len(value) and all(map(fits, value, forms, [components] * len(forms)))
    if schema.get("type") == "object":
        if not isinstance(value, dict):
            return False
        known = schema.get("properties", {})
        rest = {name: schema.get("additionalProperties", not known) for name in set(value) - set(known)}
        return set(schema.get("required", ())) <= set(value) and all(
            form is not False and (form is True or fits(value[name], form, components))
            for name, form in {**known, **rest}.items()
            if name in value
        )
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return "type" not in schema or isinstance(value, types[schema["type"]])


async def test_an_answer_is_what_the_document_promises(house, web):
    told = await described(house)
    components = told["components"]["schemas"]
    operation = told["paths"]["/api/spot/price/{gpu_name}"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    answer = (await web.get("/api/spot/price/RTX%204090")).json()
    assert fits(answer, schema, components)
    assert "extra" not in components["Price"]["required"]
    assert not fits({**answer, "gpu_name": None}, schema, components)
    assert not fits({**answer, "unheard": 1}, schema, components)
    assert not fits({**answer, "rates": [{"usd": 1.0, "kind": "barter"}]}, schema, components)
    error = (await web.get("/api/spot/trouble?what=bad")).json()
    described_error = operation["responses"]["400"]["content"]["application/problem+json"]["schema"]
    assert fits(error, described_error, components)


@pytest.mark.parametrize(
    "command",
    [command for command in bot.commands.COMMANDS if command.path and command.shared],
    ids=lambda command: command.name,
)
async def test_every_question_promises_the_fields_of_its_answer(command):
    paths = document([command], "0", require_key=True)
    answer = paths["paths"][command.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    name = answer["$ref"].rpartition("/")[2]
    assert "evidence" in paths["components"]["schemas"][name]["required"]


class Colour(enum.StrEnum):
    RED = "red"


@dataclass
class Twig:
    colour: Colour
    twigs: "Sequence[Twig]"
    weights: Mapping[str, float | None]
    anything: Any


def test_schemas_follow_types_also_into_themselves():
    schemas, components = answer_schemas({"many": tuple[Twig, ...]})
    assert schemas == {"many": {"type": "array", "items": {"$ref": "#/components/schemas/Twig"}}}
    assert components["Twig"]["properties"] == {
        "colour": {"$ref": "#/components/schemas/Colour"},
        "twigs": {"type": "array", "items": {"$ref": "#/components/schemas/Twig"}},
        "weights": {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
        "anything": {},
    }
    assert components["Colour"]["enum"] == ["red"]
    twig = Twig(Colour.RED, [Twig(Colour.RED, [], {}, 1)], {"a": None}, None)
    assert fits(plain([twig]), schemas["many"], components)
    assert not fits(plain([replace(twig, weights={"a": "b"})]), schemas["many"], components)


def test_schemas_keep_namesakes_apart():
    namesake = make_dataclass("Twig", [("n", int)], namespace={"__module__": "garden.other"})
    schemas, components = answer_schemas({"ours": Twig, "other": namesake})
    ours, other = (components[schemas[name]["$ref"].rpartition("/")[2]] for name in ("ours", "other"))
    assert (set(ours["properties"]), set(other["properties"])) == ({"colour", "twigs", "weights", "anything"}, {"n"})


def test_notes_are_texts_and_only_omitted_keys_are_not_required():
    schemas, components = answer_schemas({"evidence": Evidence})
    assert components["Note"] == {"type": "string"}
    required = set(components["Evidence"]["required"])
    assert set(components["Evidence"]["properties"]) - required == {
        "exposure_hours",
        "interval_95",
        "assumptions",
        "details",
    }
    evidence = Basis(0, None, 300, None, 0).evidence(Note("made up"), (Note("{n} x", {"n": 1}),))
    assert fits(plain(evidence), schemas["evidence"], components)


async def health_of(house, **options: Any) -> tuple[int, dict]:
    async with house.client(**options) as web:
        answer = await web.get("/health")
    return answer.status_code, answer.json()


async def test_a_process_that_polls_is_starting_until_something_was_polled(house):
    async def only_serves():
        return await market_health(house.dispatcher, polling=False)

    status, body = await health_of(house)
    assert (status, body["status"], body["last_poll"], body["age_seconds"]) == (503, "starting", None, None)
    status, body = await health_of(house, health=only_serves)
    assert (status, body["status"], body["models"]) == (200, "ok", 0)


async def test_health_fails_after_three_planned_intervals_without_a_complete_poll_and_recovers(house):
    await house.polled()
    house.clock.now += 900
    await house.polled(quality=Quality.FAILED)
    status, body = await health_of(house)
    assert status == 200
    expected = {"status": "ok", "last_poll": "2026-03-01T12:00:00Z", "age_seconds": 900, "stale_after_seconds": 900}
    assert body == {**expected, "polls_resume_at": None, "models": 1, "version": body["version"]}
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", body["version"])
    house.clock.now += 1
    status, body = await health_of(house)
    assert (status, body["status"], body["age_seconds"]) == (503, "market_down", 901)
    await house.polled()
    assert (await health_of(house))[0] == 200


async def test_health_says_when_rows_are_spent_and_until_when(house):
    await house.polled()
    midnight = house.clock.now // 86_400 * 86_400 + 86_400
    async with house.dispatcher.store.writer() as writer:
        await writer.note_spent(house.clock.now // 86_400, midnight)
    assert (await health_of(house))[0] == 200
    house.clock.now += 901
    status, body = await health_of(house)
    assert (status, body["status"], body["polls_resume_at"]) == (503, "quota_spent", "2026-03-02T00:00:00Z")
    house.clock.now = midnight
    assert (await health_of(house))[1]["status"] == "late"


@pytest.mark.parametrize("state", ["leader", "standing by", "lost"])
async def test_health_tells_whether_a_polling_process_leads_and_is_well_where_data_are_fresh(house, state: Any):
    async def stands_by():
        return await market_health(house.dispatcher, polling=True, leadership=state)

    await house.polled()
    status, body = await health_of(house, health=stands_by)
    assert (status, body["status"], body["leadership"]) == (200, "ok", state)
    assert "leadership" not in (await health_of(house))[1]


async def test_a_model_that_is_not_followed_does_not_make_polling_look_fresh(house):
    await house.polled(model="H100 SXM")
    house.clock.now += 901
    await house.polled(model="RTX 4090")
    assert (await health_of(house))[0] == 200
    async with house.dispatcher.store.writer() as writer:
        await writer.set_followed({"H100 SXM": 300})
    status, body = await health_of(house)
    assert (status, body["status"], body["models"], body["age_seconds"]) == (503, "late", 1, 901)


def sample(text: str, line: str) -> float:
    (found,) = re.findall(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found)


async def test_metrics_count_requests_by_declared_route_only(web):
    for path in ("/api/spot/price/RTX%204090", "/api/spot/price/nothing", "/made/up", "/made/up/too"):
        await web.get(path)
    answer = await web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.text
    route = 'route="/api/spot/price/{gpu_name}"'
    assert sample(text, f'spotbot_http_requests_total{{{route},status="200"}}') == 1
    assert sample(text, f'spotbot_http_requests_total{{{route},status="404"}}') == 1
    assert sample(text, 'spotbot_http_requests_total{route="unmatched",status="404"}') == 2
    assert sample(text, f"spotbot_http_request_seconds_count{{{route}}}") == 2
    assert "made/up" not in text


async def test_metrics_tell_the_state_of_polling(house):
    async with house.client() as web:
        text = (await web.get("/metrics")).text
        assert "nan" in str(sample(text, "spotbot_poll_age_seconds"))
        await house.polled()
        house.clock.now += 60
        await house.polled(quality=Quality.FAILED)
        async with house.dispatcher.store.writer() as writer:
            await writer.add_quota(house.clock.now // 86_400, 77)
            await writer.learn_limit(house.clock.now // 86_400, 3000)
        text = (await web.get("/metrics")).text
    assert sample(text, "spotbot_poll_age_seconds") == 60
    assert sample(text, "spotbot_rows_spent_today") == 77
    assert sample(text, "spotbot_rows_limit_today") == 3000
    assert sample(text, 'spotbot_polls_24h{quality="complete"}') == 1
    assert sample(text, 'spotbot_polls_24h{quality="failed"}') == 1
    assert sample(text, "spotbot_models") == 1


async def test_two_apis_in_one_process_keep_their_own_figures(house):
    async with house.client() as one, house.client() as other:
        await one.get("/made/up")
        assert 'route="unmatched"' in (await one.get("/metrics")).text
        assert 'route="unmatched"' not in (await other.get("/metrics")).text


async def test_the_page_loads_nothing_and_its_addresses_work(house, web):
    answer = await web.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.text
    (style,) = re.findall(r"<style>(.*?)</style>", text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert "What a &lt;while&gt; &quot;costs&quot; &amp; why" in text
    assert not re.search(r"<script|src=|<link|@import|url\(|https?:", text)
    links = re.findall(r'href="([^"]+)"', text)
    assert links[0] == "/api/spot/price/rtx%204090?hours=100h"
    assert {(await web.get(link)).status_code for link in links if "trouble" not in link} == {200}


async def test_the_page_speaks_the_readers_language_and_asks_for_a_key_where_one_is_needed(house):
    async with house.client(require_key=True) as web:
        english = (await web.get("/")).text
        answer = await web.get("/", headers={"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.5"})
    assert "Send your key with each question: Authorization: Bearer" in english
    assert '<html lang="pt-BR">' in answer.text
    assert "Envie sua chave" in answer.text
    assert answer.headers["vary"] == "Accept-Language"


@pytest.fixture
async def server(house):
    """The API behind a real server on a free port of loopback."""
    await house.polled()
    api = build_api(house.dispatcher, keys=stored_keys(house.dispatcher), health=house.health)
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(api, "127.0.0.1", 0, started=listening.set_result, stop=stop))
    yield await listening, stop, task
    stop.set()
    await task


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


async def test_the_server_answers_over_a_real_connection(house, server):
    port, _, _ = server
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
        headers = {"Authorization": f"Bearer {await house.key()}"}
        answer = await web.get("/api/spot/price/RTX%204090", headers=headers)
        assert (answer.status_code, answer.json()["gpu_name"]) == (200, "RTX 4090")
        assert "server" not in answer.headers
        assert (await web.head("/health")).status_code == 200
        assert (await web.get("/api/spot/trouble?what=fault", headers=headers)).status_code == 500


@pytest.mark.parametrize(
    "header", [b"Bearer spot_\xc3\xbc\xff", b"Bearer " + b"y" * 10_000, b"Bearer spot_a, Bearer b"]
)
async def test_strange_keys_over_a_real_connection_are_refused(server, header):
    request = (
        b"GET /api/spot/price/4090 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + header + b"\r\n\r\n"
    )
    assert (await raw(server[0], request)).startswith(b"HTTP/1.1 401 ")


LONG = b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("noise", [b"GET\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n", LONG], ids=["cut", "tls", "long"])
async def test_noise_on_the_port_is_refused_and_the_next_is_served(server, noise):
    assert (await raw(server[0], noise)).startswith(b"HTTP/1.1 4")
    request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await raw(server[0], request)).startswith(b"HTTP/1.1 200 ")


async def test_the_server_stops_when_told_leaves_signals_alone_and_frees_its_port(house, server):
    port, stop, task = server
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    api = build_api(house.dispatcher, keys=stored_keys(house.dispatcher), health=house.health)
    with pytest.raises(OSError, match="in use"):
        await serve(api, "127.0.0.1", port, stop=stop)
    stop.set()
    await task
    with socket.create_server(("127.0.0.1", port)):
        pass
