// The playground's chat: lines are sent without leaving the page, buttons are lines, what comes is added below.
"use strict";

(() => {
  const list = document.querySelector(".messages");
  const form = document.querySelector("form.say");
  const field = form.elements.line;
  const offers = document.getElementById("lines");
  const changes = document.querySelector(".changes");
  const newer = document.querySelector(".newer");
  const refused = document.querySelector(".refused");
  const typed = []; // earlier lines, the newest last
  let recalled = 0;

  const show = (one) => { if (one) list.scrollTop = one.offsetTop - list.offsetTop; }; // an answer is read from its top
  const newest = () => Number(list.lastElementChild?.id.slice(1) || 0);

  const KEPT = 60; // as many as the server keeps
  let mine = false; // the next message answers what was typed here
  let reading = Promise.resolve();
  function read() { // one after the other, so that no message comes twice
    reading = reading.then(async () => {
      const got = await fetch(`/play/messages?after=${newest()}`);
      if (!got.ok) return;
      const html = await got.text();
      if (!html.trim()) return;
      const held = document.createElement("template");
      held.innerHTML = html;
      const added = [...held.content.children];
      const last = list.lastElementChild;
      const atEnd = !last || list.scrollTop + list.clientHeight > last.offsetTop - list.offsetTop;
      list.append(held.content);
      added.forEach((one) => window.spotbot.drawAll(one));
      if (atEnd || mine) show(added[0]);
      else newer.hidden = false; // who reads what was said before is left there
      mine = false;
      while (list.childElementCount > KEPT) {
        window.spotbot.forget(list.firstElementChild);
        list.firstElementChild.remove();
      }
    }).catch(() => {});
    return reading;
  }

  async function edited(event) { // what changed or is gone stands where it stood
    const there = document.getElementById(`m${event.data}`);
    const got = there && await fetch(`/play/messages?only=${event.data}`).catch(() => null);
    if (!got?.ok) return;
    const held = document.createElement("template");
    held.innerHTML = await got.text();
    const added = [...held.content.children];
    window.spotbot.forget(there);
    there.replaceWith(held.content);
    added.forEach((one) => window.spotbot.drawAll(one));
  }

  let saying = Promise.resolve();
  function say(line, page = null) { // in the order in which it was typed
    typed.push(line);
    recalled = typed.length;
    saying = saying.then(() => send(line, page || "0")).catch(() => {});
  }

  async function send(line, page) {
    const body = new URLSearchParams({ line, page, csrf: form.elements.csrf.value });
    list.setAttribute("aria-busy", "true");
    try {
      mine = true;
      const got = await fetch("/play/say", { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
      refused.hidden = got.ok;
      if (!got.ok) field.value ||= line; // nothing that was typed is lost
      await read();
    } catch {
      refused.hidden = false;
      field.value ||= line;
    } finally { list.removeAttribute("aria-busy"); }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const line = field.value.trim();
    field.value = "";
    if (line) say(line);
  });

  field.addEventListener("keydown", (event) => {
    if (offers.childElementCount && event.key !== "ArrowUp") return;
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    if (field.value && recalled === typed.length) return;
    recalled = Math.min(typed.length, Math.max(0, recalled + (event.key === "ArrowUp" ? -1 : 1)));
    field.value = typed[recalled] || "";
    event.preventDefault();
  });

  let asked = 0;
  field.addEventListener("input", async () => {
    const mine = ++asked;
    const got = await fetch(`/play/complete?line=${encodeURIComponent(field.value)}`).catch(() => null);
    if (!got?.ok || mine !== asked) return;
    offers.replaceChildren(...(await got.json()).map((text) => Object.assign(document.createElement("option"), { value: text })));
  });

  // What deletes asks first: there is no taking it back.
  function press(button, line, page) {
    if (!button?.classList.contains("danger") || confirm(`${button.textContent.trim()}: ${line}`)) say(line, page);
  }

  // Buttons and links that ask are said here; those that open a form leave the page.
  document.querySelector(".chat").addEventListener("submit", (event) => {
    if (event.target === form || new URL(event.target.action).pathname !== "/ask") return;
    event.preventDefault();
    press(event.submitter, event.target.elements.line.value);
  });
  document.querySelector(".chat").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || link.closest("footer")) return;
    const address = new URL(link.href);
    if (address.pathname !== "/ask" || address.origin !== location.origin) return;
    event.preventDefault();
    press(link, address.searchParams.get("line"), address.searchParams.get("page"));
  });

  for (const heard of ["ready", "message"]) window.spotbot.events.addEventListener(heard, read);
  window.spotbot.events.addEventListener("edited", edited);
  window.spotbot.events.addEventListener("round", async () => {
    const got = await fetch("/play/changes");
    if (got.ok) changes.innerHTML = await got.text();
  });
  for (const view of document.querySelectorAll('input[name="view"]')) {
    view.checked = sessionStorage.getItem("view") === view.id || view.checked;
    view.addEventListener("change", () => { sessionStorage.setItem("view", view.id); show(list.querySelector(":scope > li:last-child")); });
  }
  newer.addEventListener("click", () => { show(list.lastElementChild); newer.hidden = true; });
  list.addEventListener("scroll", () => {
    if (list.scrollTop + list.clientHeight >= list.scrollHeight - 8) newer.hidden = true;
  });
  show([...list.querySelectorAll(":scope > .you")].pop());
})();
