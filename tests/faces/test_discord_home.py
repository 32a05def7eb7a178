"""``/spot home`` on Discord: for the person alone, with buttons, and an alert that is added by a form."""

from __future__ import annotations

from tests.fakes.alert_market import alert_in
from tests.fakes.discord import FakeDiscord
from tests.fakes.discord_house import Guild, discord, discord_dispatcher, names, plain, server  # noqa: F401  fixtures


async def test_the_home_is_for_the_person_alone_and_fits(server: Guild) -> None:  # noqa: F811
    made = [alert_in(await server.say(f"alert 4090 < 0.0{n}", user="ana")) for n in range(1, 8)]
    shown = (await server.ask("home", user="ana")).original
    assert shown is not None
    assert shown["flags"] & 64  # ephemeral
    text = plain(shown)
    for part in ("RTX 4090", "My alerts", made[-1], "Status", "your role", "time zone"):
        assert part in text
    assert len(shown["embeds"][0]["description"]) <= 4096
    assert len(shown["components"]) <= 5
    assert len(names(shown)) <= 25
    assert f"spot:form:alert edit {made[-1]}" in names(shown)
    assert f"spot:form:alert edit {made[0]}" not in names(shown)
    assert made[0] not in plain((await server.ask("home", user="bob")).original or {})


async def test_its_buttons_act_and_it_is_refreshed_in_place(server: Guild) -> None:  # noqa: F811
    made = alert_in(await server.say("alert 4090 < 0.05", user="ana"))
    shown = (await server.ask("home", user="ana")).original
    assert shown is not None
    pressed = await server.press(shown, f"spot:run:alert snooze {made} 1h", user="ana")
    assert "It is silent until" in plain(pressed.followups[0])
    await server.press(shown, "spot:refresh", user="ana")
    assert "snoozed" in plain(shown)


async def test_an_alert_is_added_by_a_form(discord: FakeDiscord, server: Guild) -> None:  # noqa: F811
    shown = (await server.ask("home", user="ana")).original
    assert shown is not None
    opened = await server.press(shown, "spot:form:alert add", user="ana")
    wrong = await discord.submit(opened, {"gpu": "4090", "condition": "cheap please"}, user="ana")
    await server.idle()
    assert "no condition that can be watched" in plain(wrong.followups[0])
    sent = await discord.submit(opened, {"gpu": "4090", "condition": "< 0.21", "quiet": "22:00-08:00"}, user="ana")
    await server.idle()
    text = plain(sent.followups[0])
    assert "below $0.21" in text
    assert "It is told in this channel." in text
    await server.press(shown, "spot:refresh", user="ana")
    assert alert_in(text) in plain(shown)


async def test_the_home_is_in_the_persons_language(server: Guild) -> None:  # noqa: F811
    shown = (await server.ask("home", user="ana", locale="pt-BR")).original
    assert shown is not None
    for part in ("Início", "fuso horário", "Você ainda não tem alertas"):
        assert part in plain(shown)
