"""For tests of plugins: a server that misbehaves as it is told, the contract that every notifier keeps, and a workbench for handlers of jobs.

Nothing else imports it.
"""

from realtime.testing.clock import FakeClock
from realtime.testing.contract import Case, Rig, cases
from realtime.testing.handlers import run_job
from realtime.testing.http_rig import HttpRig, http_cases
from realtime.testing.sink import Answer, Garbage, Hang, Huge, Reset, Sink, SinkRequest, Trickle
from realtime.testing.workbench import PutIn, Workbench, drain, workbench

__all__ = [
    "Answer",
    "Case",
    "FakeClock",
    "Garbage",
    "Hang",
    "HttpRig",
    "Huge",
    "PutIn",
    "Reset",
    "Rig",
    "Sink",
    "SinkRequest",
    "Trickle",
    "Workbench",
    "cases",
    "drain",
    "http_cases",
    "run_job",
    "workbench",
]
