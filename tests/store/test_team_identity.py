"""Slack's workspaces of earlier versions, whose organisation was part of their name: they are one with their team."""

from __future__ import annotations

from bot.store.engine import open_store
from tests.fakes.older import make_older

DESTINATION = (
    "INSERT INTO destination (id, platform, enterprise, team, channel, person, next_at, lease_until, refusals, "
)
DESTINATION += "last_served_at, disabled_at) VALUES "
MESSAGE = "INSERT INTO message (seq, id, identity, destination_id, topic, kind, payload, action, state, created_at, "
MESSAGE += "not_before, expires_at, due_at, attempts, ambiguities) VALUES "
INSTALLATION = "INSERT INTO installation (platform, enterprise, team, sealed, installed_at) VALUES "
KEY = "INSERT INTO api_key (id, prefix, label, scopes, sha256, per_minute, created_at, platform, enterprise, team, "
KEY += "channel) VALUES "


def waits(seq: int, destination: int) -> str:
    return (
        f"{MESSAGE} ({seq}, 'm{seq}', 'i{seq}', {destination}, 't', 'k', '{{}}', 'post', 'queued', 1, 1, 99, 1, 0, 0)"
    )


async def test_what_was_stored_under_an_organisation_belongs_to_the_team(database_url: str) -> None:
    def blob(content: bytes) -> str:
        return f"x'{content.hex()}'" if database_url.startswith("sqlite") else f"'\\x{content.hex()}'"

    await make_older(
        database_url,
        "0008",
        [
            DESTINATION + "(1, 'slack', '', 'T1', 'C1', '', 0, 0, 0, 0, 7)",
            DESTINATION + "(2, 'slack', 'E1', 'T1', 'C1', '', 0, 0, 0, 0, NULL)",
            DESTINATION + "(3, 'slack', 'E1', 'T1', '', 'U1', 0, 0, 0, 0, NULL)",
            DESTINATION + "(4, 'slack', 'E1', 'T2', 'C1', '', 0, 0, 0, 0, NULL)",
            *(waits(seq, destination) for seq, destination in ((1, 1), (2, 2), (3, 3), (4, 4))),
            INSTALLATION + f"('slack', '', 'T1', {blob(b'old')}, 5)",
            INSTALLATION + f"('slack', 'E1', 'T1', {blob(b'new')}, 6)",
            INSTALLATION + f"('slack', 'E1', 'T2', {blob(b'two')}, 3)",
            KEY + f"(1, 'p', 'l', 'alerts', {blob(b'x')}, 60, 1, 'slack', 'E1', 'T1', 'C1')",
        ],
    )
    store = await open_store(database_url, writer=True)
    async with store.writer() as writer:
        assert await writer.outbox.destination("slack", "T1", channel="C1") == 2  # the one that takes messages
        assert await writer.outbox.destination("slack", "T1", person="U1") == 3
        assert await writer.outbox.destination("slack", "T2", channel="C1") == 4
        assert [message.destination_id for message in await writer.outbox.topic("t")] == [2, 2, 3, 4]
    async with store.reader() as reader:
        assert await reader.installation("slack", "T1") == (b"new", 6)
        assert [team for _, team, _, _ in await reader.installations()] == ["T2", "T1"]
        (key,) = await reader.keys()
    assert key.owner is not None
    assert (key.owner.team, key.owner.enterprise) == ("T1", "")
    await store.close()
