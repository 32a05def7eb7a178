from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.codec import dump, load_rule, load_state
from bot.alerts.rules import Kind, Rule, Series
from bot.alerts.state import State, initial

RULE = Rule(Kind.BELOW, Series("RTX 4090"), 350_000)


@given(st.from_type(Rule))
def test_a_rule_comes_back_as_it_was_stored(rule: Rule) -> None:
    back = load_rule(dump(rule))
    assert (back, type(back.kind), type(back.series.scope)) == (rule, type(rule.kind), type(rule.series.scope))


@given(st.from_type(State))
def test_a_state_comes_back_as_it_was_stored(state: State) -> None:
    back = load_state(dump(state))
    assert (back, type(back.status)) == (state, type(state.status))


def test_a_text_of_another_version_is_read() -> None:
    stored = json.loads(dump(RULE))
    del stored["quiet"], stored["readings"], stored["series"]["level"]
    assert load_rule(json.dumps(stored | {"colour": "red"})) == RULE
    state = initial(RULE)
    stored = json.loads(dump(state)) | {"colour": "red"}
    del stored["suppressed"]
    assert load_state(json.dumps(stored)) == state
