"""The fence around the tests themselves."""

import socket

import pytest


def test_no_test_can_leave_this_machine() -> None:
    with socket.socket() as outside, pytest.raises(AssertionError, match="wanted to connect"):
        outside.connect(("192.0.2.1", 80))
