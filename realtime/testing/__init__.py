"""For tests of notifiers: a server that misbehaves as it is told, and the contract that every notifier keeps. Nothing else imports it."""

from realtime.testing.contract import Case, Rig, cases
from realtime.testing.http_rig import HttpRig, http_cases
from realtime.testing.sink import Answer, Garbage, Hang, Huge, Reset, Sink, SinkRequest, Trickle

__all__ = ["Answer", "Case", "Garbage", "Hang", "HttpRig", "Huge", "Reset", "Rig", "Sink", "SinkRequest", "Trickle", "cases", "http_cases"]
