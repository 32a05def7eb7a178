"""Who asks on Discord: what an interaction says of a person and of the place."""

from __future__ import annotations

from typing import Any

import discord

from bot.accounts import Asker, Role

PLATFORM = "discord"


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    """The person behind an interaction. A server is a team where the app belongs to it, not only to the person."""
    here = serves_guild(interaction)
    person = str(interaction.user.id)
    return Asker(
        platform=PLATFORM,
        team=str(interaction.guild_id) if here else f"dm:{person}",
        person=person,
        channel=str(interaction.channel_id or ""),
        role=_role(interaction.permissions) if here else "admin",
        locale=interaction.locale.value,
        mentionable=_mentionable(interaction) if here else (),
        groups=_roles(interaction.user) if here else (),
    )


def serves_guild(interaction: discord.Interaction[Any]) -> bool:
    """Whether the interaction comes from a server that has the app."""
    return interaction.guild_id is not None and interaction.is_guild_integration()


def may_post(interaction: discord.Interaction[Any]) -> bool:
    """Whether the person may write where the interaction comes from: what is shared is said in their name."""
    if interaction.guild_id is None:
        return True
    allowed = interaction.permissions
    threaded = isinstance(interaction.channel, discord.Thread)
    return allowed.administrator or (allowed.send_messages_in_threads if threaded else allowed.send_messages)


def _mentionable(interaction: discord.Interaction[Any]) -> tuple[str, ...] | None:
    if interaction.permissions.administrator or interaction.permissions.mention_everyone:
        return None
    roles = interaction.guild.roles if interaction.guild is not None else []
    return tuple(str(role.id) for role in roles if role.mentionable)


def _roles(user: discord.User | discord.Member) -> tuple[str, ...]:
    """The roles that a person has, without that of everybody."""
    roles = user.roles if isinstance(user, discord.Member) else []
    return tuple(str(role.id) for role in roles if not role.is_default())


def _role(permissions: discord.Permissions) -> Role:
    if permissions.administrator:
        return "admin"
    return "manager" if permissions.manage_guild else "member"
