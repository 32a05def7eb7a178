"""The forms of a page, as a browser without scripts would send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class FormOnPage:
    """A form with what its fields say; ``buttons``: label to the address that the button sends to."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)

    async def send(self, browser: httpx.AsyncClient, button: str = "", **texts: str) -> httpx.Response:
        """Fill in and press; only fields that are there can be filled."""
        assert set(texts) <= set(self.fields) - self.hidden
        for name, text in texts.items():
            assert text in self.choices.get(name, [text])
        address = self.buttons[button] if button else self.action
        data = {**self.fields, **texts}
        if self.method == "get":
            return await browser.get(address, params=data)
        return await browser.post(address, data=data)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[FormOnPage] = []
        self.form: FormOnPage | None = None
        self.select = self.button = ""
        self.option: tuple[str | None, bool] | None = None
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.form = FormOnPage(said.get("action") or "", (said.get("method") or "get").lower())
            self.forms.append(self.form)
        elif self.form is not None and tag in ("input", "select", "button", "option"):
            self._control(self.form, tag, said)

    def _control(self, form: FormOnPage, tag: str, said: dict[str, str | None]) -> None:
        name = said.get("name") or ""
        if tag == "input":
            form.fields[name] = said.get("value") or ""
            if said.get("type") == "hidden":
                form.hidden.add(name)
        elif tag == "select":
            self.select, form.choices[name] = name, []
        else:
            self.text = ""
            if tag == "option" and self.select:
                self.option = (said.get("value"), "selected" in said)
            elif tag == "button":
                self.button = said.get("formaction") or form.action

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        form = self.form
        if form is None:
            return
        if tag == "option" and self.option is not None:
            value, chosen = self.option
            text = self.text if value is None else value
            form.choices[self.select].append(text)
            if chosen or self.select not in form.fields:
                form.fields[self.select] = text
            self.option = None
        elif tag == "button":
            form.buttons[self.text.strip()] = self.button
        elif tag == "select":
            self.select = ""
        elif tag == "form":
            self.form = None


def forms_of(page: str) -> list[FormOnPage]:
    """All forms of a page in their order."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


def form_to(page: str, action: str) -> FormOnPage:
    """The one form that sends to an address."""
    (found,) = [form for form in forms_of(page) if form.action == action]
    return found
