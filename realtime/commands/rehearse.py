"""`nowserving rehearse`: a busy evening, played against a server through its public interfaces."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

SENTENCE = "Play a busy evening against a server, then check what every client saw."


def options(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--customers", type=_from_one, default=200, metavar="N", help="how many parties come (200)")
    parser.add_argument("--minutes", type=_above_zero, default=60.0, metavar="M", help="how long the evening is (60)")
    parser.add_argument(
        "--speed", type=_above_zero, default=60.0, metavar="X", help="how many times faster than the clock it is played (60)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed plays the same evening (1)")
    parser.add_argument("--url", type=address, metavar="URL", help="a server that runs already; without, one is started")


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when every client's last view agrees with the server, 1 when one does not, 2 when it could not be played. Raises: CannotStart."""
    # Imported only now, so that the other commands start faster.
    from realtime.rehearse.runner import Wanted, run

    return run(Wanted(arguments.customers, arguments.minutes, arguments.speed, arguments.seed, arguments.url or ""))


def _from_one(text: str) -> int:
    if not 1 <= (number := int(text)) <= MOST_CUSTOMERS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_CUSTOMERS}")
    return number


MOST_CUSTOMERS = 10_000


def _above_zero(text: str) -> float:
    if not 0 < (number := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def address(text: str) -> str:
    parts = urlsplit(text)
    try:
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if (
        parts.scheme not in ("http", "https")
        or not named
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise argparse.ArgumentTypeError("must be http:// or https:// and a host name, such as http://127.0.0.1:8000")
    return f"{parts.scheme}://{parts.netloc}"
