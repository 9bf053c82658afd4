"""Whether settings fit together: addresses in the one form the program reads, and what contradicts what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from realtime import ladder


def short(value: Any) -> str:
    said = plain(json.dumps(value, default=str, ensure_ascii=False))
    return said if len(said) <= 60 else said[:57] + "..."


def plain(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def urls(chosen: dict[str, Any]) -> list[str]:
    """Brings addresses into the one form the program reads; returns what is wrong with them."""
    faults = []
    database = chosen.get("database_url", "sqlite:///-")
    for accepted in ("postgres://", "postgresql+asyncpg://", "postgres+asyncpg://"):
        if database.startswith(accepted):
            database = "postgresql://" + database.removeprefix(accepted)
    if database.startswith("sqlite:"):
        path = database.partition("?")[0].removeprefix("sqlite:///")
        if path in ("", ":memory:") or path.startswith("sqlite:"):
            faults.append("database_url: names no file; write sqlite:///nowserving.db, or with four slashes an absolute path")
        elif "?" in database:
            faults.append("database_url: takes no options after ? with SQLite; remove them")
    elif not _server(database, ("postgresql",)):
        faults.append("database_url: must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    chosen["database_url"] = database

    redis = chosen.get("redis_url", "")
    for accepted, native in (("valkey://", "redis://"), ("valkeys://", "rediss://")):
        redis = native + redis.removeprefix(accepted) if redis.startswith(accepted) else redis
    if redis and not _server(redis, ("redis", "rediss")):
        faults.append("redis_url: must be redis://HOST:PORT, or rediss:// with encryption, or empty")
    chosen["redis_url"] = redis

    if chosen.get("smtp_url") and not _server(chosen["smtp_url"], ("smtp", "smtps")):
        faults.append("smtp_url: must be smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT, or empty")
    if chosen.get("sms_url") and "://" not in chosen["sms_url"]:
        faults.append("sms_url: must be an Apprise URL such as twilio://SID:TOKEN@FROM, or empty")
    public = chosen.get("public_url", "").rstrip("/")
    parts = _server(public, ("http", "https"))
    if public and (parts is None or parts.path or parts.query or parts.fragment or parts.username is not None):
        faults.append("public_url: must be http:// or https:// and a host name, without a path, such as https://queue.example.com")
    chosen["public_url"] = public
    if chosen.get("job_service_url") and not _server(chosen["job_service_url"], ("http", "https")):
        faults.append("job_service_url: must be http://HOST/PATH or https://HOST/PATH, or empty")
    for network in chosen.get("trusted_proxies", []):
        if network != "*" and not _is_network(network):
            faults.append(
                f'trusted_proxies: {short(network)} is not an address or a network; write one such as "10.0.0.0/8", or "*" for all'
            )
    for network in chosen.get("outbound_networks", []):
        if not _is_network(network):
            faults.append(f'outbound_networks: {short(network)} is not an address or a network; write one such as "10.0.0.0/8"')
    for recipient in chosen.get("alarm_to", []):
        notifier, colon, address = recipient.partition(":")
        if not (colon and notifier.strip() and address.strip()):
            faults.append(f'alarm_to: {short(recipient)} names no notifier or nobody; write for example "email:ops@example.com"')
    return faults + ladder.faults(chosen.get("call_ladder", []))


def _is_network(said: str) -> bool:
    try:
        ip_network(said)
        return True
    except ValueError:
        return False


def _server(url: str, schemes: tuple[str, ...]) -> SplitResult | None:
    """The parts of an address that names a server, None if it names none."""
    try:
        parts = urlsplit(url)
        named = parts.hostname or (parts.scheme == "postgresql" and "host=" in parts.query)
        _ = parts.port  # raises ValueError where it is not a number
        return parts if parts.scheme in schemes and named else None
    except ValueError:
        return None


_AT_MOST = (
    ("soft_backlog_bytes", "hard_backlog_bytes"),
    ("retry_first_seconds", "retry_most_seconds"),
    ("write_batch", "write_queue"),
    ("pong_seconds", "ping_seconds"),
    # A job whose lease ends while its notifier still works is done twice.
    ("smtp_deadline_seconds", "job_lease_seconds"),
    ("notifier_deadline_seconds", "job_lease_seconds"),
)
"""Pairs of settings of which the first must not be larger than the second."""
_OF_SERVICE = ("job_service_seconds", "job_lease_seconds")
"""The same, where a service is called at all."""


_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def contradictions(chosen: Mapping[str, Any]) -> list[str]:
    calls = chosen.get("job_service_url") or chosen.get("job_service_hosts")
    faults = [
        f"{low}: is {short(chosen[low])}, larger than {high}, which is {short(chosen[high])}; lower the one or raise the other"
        for low, high in (*_AT_MOST, *((_OF_SERVICE,) if calls else ()))
        if low in chosen and high in chosen and chosen[low] > chosen[high]
    ]
    if not chosen.get("report_files", "-"):
        faults.append(
            'report_files: is empty, so owners would have nothing of their evening; name at least one of "csv", "html" and "jsonl"'
        )
    if chosen.get("smtp_url") and not chosen.get("mail_from", "-"):
        faults.append("mail_from: is empty although smtp_url is set; write the address mails come from, such as queue@example.com")
    if chosen.get("smtp_url") and not chosen.get("public_url", "-") and chosen.get("host") not in _LOOPBACK:
        faults.append(
            "public_url: is empty although mails go out; they carry links that sign people in, so write the address people use,"
            " such as https://queue.example.com"
        )
    if chosen.get("mail_from") and "@" not in chosen["mail_from"]:
        faults.append("mail_from: is not an e-mail address; write one such as queue@example.com")
    for name in ("email_callback_secret", "sms_callback_secret"):
        if 0 < len(chosen.get(name, "")) < 16:
            faults.append(f"{name}: is shorter than 16 characters; choose a longer one, or leave it empty")
    if (region := chosen.get("phone_region")) and not _is_region(region):
        faults.append(f'phone_region: {short(region)} is no country; write one such as "DE", or leave it empty')
    for name in ("secret_key", "operator_token", "metrics_token"):
        if 0 < len(chosen.get(name, "")) < 32:
            faults.append(
                f"{name}: is shorter than 32 characters; make one with"
                ' `python3 -c "import secrets; print(secrets.token_urlsafe(32))"`, or leave it empty'
            )
    return faults


def _is_region(region: str) -> bool:
    import phonenumbers  # most installations name none, and start sooner without

    return region in phonenumbers.SUPPORTED_REGIONS


def brokers(chosen: Mapping[str, Any], notes: list[str]) -> list[str]:
    """What joins several processes must be there, and reach them all."""
    broker, redis = chosen.get("broker", "auto"), chosen.get("redis_url", "")
    sqlite = chosen["database_url"].startswith("sqlite:")
    if sqlite and broker in ("postgres", "redis"):
        return [f'broker: is "{broker}", but SQLite serves one process, which nothing joins; write "auto", or use Postgres']
    if broker == "redis" and not redis:
        return ['broker: is "redis", but redis_url is empty; set REDIS_URL to redis://HOST:PORT, or write "auto"']
    if broker == "none" and not sqlite and chosen.get("web_concurrency", 1) > 1:
        fault = (
            f'broker: is "none", but web_concurrency is {chosen["web_concurrency"]}, and those processes would not hear of each other\'s'
            ' changes; write "auto", or run one process'
        )
        return [fault]
    if redis and not sqlite and broker in ("none", "postgres"):
        notes.append(f'redis_url is set, but broker is "{broker}", so it is not used.')
    return []


def single_process(chosen: dict[str, Any], environ: Mapping[str, str], notes: list[str]) -> list[str]:
    """SQLite means one process and one disk that stays."""
    if not chosen["database_url"].startswith("sqlite:"):
        return []
    if chosen.get("web_concurrency", 1) > 1:
        notes.append(f"web_concurrency is {chosen['web_concurrency']}, but SQLite serves one process: running one. Use Postgres for more.")
        chosen["web_concurrency"] = 1
    if chosen.get("redis_url"):
        notes.append("redis_url is set, but with SQLite there is one process, so it is not used.")
        chosen["redis_url"] = ""
    if environ.get("DYNO") and not chosen.get("allow_ephemeral_sqlite", True):
        return [_LOST_DISK]
    return []


_LOST_DISK = (
    "database_url: is SQLite, but this host (it sets DYNO) deletes its disk at every restart, and the store with it; set DATABASE_URL"
    " to a Postgres database (on Heroku: `heroku addons:create heroku-postgresql`),"
    " or NOWSERVING_ALLOW_EPHEMERAL_SQLITE=true to try it out all the same"
)
