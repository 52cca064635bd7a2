"""The answers to the gateways' requests, and how long they are valid."""

from typing import NamedTuple

from shared.request import Failure, FailureCode, Reply

LEAST_SECONDS = 1.0
"""In this time those that wait for a reply have read it."""

MESSAGE_CHARACTERS = 300


class UnansweredError(Exception):
    """A request that has no reply of data; the message is for the client."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Answered(NamedTuple):
    """A reply, and for how long (s) it is valid."""

    reply: Reply
    seconds: float


def failed(code: FailureCode, message: str) -> Answered:
    """Return the answer that says why there is none."""
    return Answered(Failure(code=code, message=message[:MESSAGE_CHARACTERS]), 0.0)
