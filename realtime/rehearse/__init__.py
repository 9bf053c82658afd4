"""A busy evening, played against a server through its public interfaces only, and checked."""

from realtime.rehearse.runner import run as run
