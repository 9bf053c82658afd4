"""Settings: what settings.toml, a file of the operator's own and the environment say, as one frozen value in which everything fits together."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Meta, Struct

from realtime.errors import BadSettings
from realtime.settings_checks import brokers, contradictions, plain, short, single_process, urls

PREFIX = "NOWSERVING_"
HOST_NAMES = {
    "PORT": "port",
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "WEB_CONCURRENCY": "web_concurrency",
    "SECRET_KEY": "secret_key",
}
"""Environment variables as hosts set them, and the settings they mean. NOWSERVING_<NAME> wins over them."""

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Secret = Annotated[str, Meta(extra={"shown": "nothing"})]
Url = Annotated[str, Meta(extra={"shown": "no password"})]
Gateway = Annotated[str, Meta(extra={"shown": "scheme"})]


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting, checked. What each means is said once, in settings.toml."""

    public_url: str
    host: Annotated[str, Meta(min_length=1, max_length=255)]
    port: Annotated[int, Meta(ge=0, le=65_535)]
    trusted_proxies: list[str]
    web_concurrency: Annotated[int, Meta(ge=1, le=256)]
    log_level: Literal["debug", "info", "warning", "error"]
    log_changes: bool

    database_url: Url
    redis_url: Url
    broker: Literal["auto", "none", "postgres", "redis"]
    secret_key: Secret
    allow_ephemeral_sqlite: bool

    store_hours: Annotated[int, Meta(ge=1, le=24)]
    code_minutes: Annotated[int, Meta(ge=2, le=1440)]
    access_token_minutes: Annotated[int, Meta(ge=1, le=1440)]
    refresh_token_days: Annotated[int, Meta(ge=1, le=400)]
    link_minutes: Annotated[int, Meta(ge=1, le=1440)]
    confirm_link_days: Annotated[int, Meta(ge=1, le=400)]

    phone_region: Annotated[str, Meta(pattern="^([A-Z]{2})?$")]
    sign_in_tries_per_minute: Count
    joins_per_minute: Count
    hash_workers: Annotated[int, Meta(ge=1, le=64)]

    drain_seconds: Seconds
    request_head_seconds: Seconds
    max_body_bytes: Bytes
    max_frame_bytes: Bytes
    max_sockets: Count
    max_sockets_per_address: Count
    max_sockets_per_store: Count
    ping_seconds: Seconds
    pong_seconds: Seconds

    soft_backlog_bytes: Bytes
    hard_backlog_bytes: Bytes
    max_backlog_seconds: Seconds
    flush_window_ms: Annotated[float, Meta(ge=0, le=100)]
    batch_sends: bool
    replay_events: Annotated[int, Meta(ge=0, le=1_000_000)]

    write_queue: Count
    write_batch: Count
    read_connections: Annotated[int, Meta(ge=1, le=64)]
    postgres_pool: Annotated[int, Meta(ge=1, le=1000)]

    smtp_url: Url
    mail_from: Annotated[str, Meta(max_length=320)]
    smtp_deadline_seconds: Seconds
    smtp_allow_plain: bool
    email_callback_secret: Secret
    sms_url: Gateway
    sms_callback_secret: Secret
    call_ladder: list[str]
    notifier_deadline_seconds: Seconds
    notifier_concurrency: Annotated[int, Meta(ge=1, le=256)]
    job_lease_seconds: Seconds
    job_max_attempts: Count
    retry_first_seconds: Seconds
    retry_most_seconds: Seconds
    guest_messages_most: Annotated[int, Meta(ge=1, le=1000)]
    guest_messages_minutes: Annotated[int, Meta(ge=1, le=1440)]
    capture_messages: bool
    report_files: list[Literal["csv", "html", "jsonl"]]
    plugins_off: list[str]

    program_requests_per_minute: Count
    message_visibility_seconds: Annotated[int, Meta(ge=1, le=43_200)]
    message_receives: Annotated[int, Meta(ge=1, le=1000)]
    message_receipt_required: bool

    run_jobs: bool
    job_service_url: Url
    job_service_hosts: list[str]
    job_service_seconds: Seconds
    job_retries: Annotated[int, Meta(ge=0, le=100)]
    jobs_at_once_per_account: Annotated[int, Meta(ge=0, le=1000)]
    outbound_networks: list[str]

    operator_token: Secret
    metrics_token: Secret
    alarm_to: list[str]
    alarm_dead_letters: Annotated[int, Meta(ge=0, le=1_000_000)]
    alarm_backlog_seconds: Annotated[int, Meta(ge=0, le=1_000_000)]
    alarm_failed_reports: Annotated[int, Meta(ge=0, le=1_000_000)]
    alarm_missed_deletions: Annotated[int, Meta(ge=0, le=1_000_000)]
    alarm_deletion_hours: Annotated[float, Meta(gt=0, le=1000)]
    alarm_repeat_hours: Annotated[float, Meta(gt=0, le=1000)]

    notes: tuple[str, ...] = ()
    """What was understood differently than it was said; the runner logs them."""

    @classmethod
    def load(cls, environ: Mapping[str, str], file: Path | None = None) -> Settings:
        """The settings of this process: settings.toml, then `file` (or NOWSERVING_SETTINGS), then the environment.

        Raises: BadSettings, whose message names every fault in a line of its own: "name: what is wrong, what to do".
        """
        named = environ.get(PREFIX + "SETTINGS", "")
        path = file or (Path(named) if named else None)
        shipped = _read(_shipped())
        try:
            own = _read(path) if path else {}
        except BadSettings as error:
            return settle(shipped, environ, faults=[error.message])
        return settle(shipped, environ, own)

    @classmethod
    def defaults(cls, **changes: Any) -> Settings:
        """What settings.toml says, with `changes`, whatever the environment says; for tests and for embedding. Raises: BadSettings."""
        return settle(_read(_shipped()), {}, changes)

    @property
    def sqlite_path(self) -> str:
        """The database file, empty when the database is Postgres."""
        return self.database_url.removeprefix("sqlite:///") if self.database_url.startswith("sqlite:") else ""

    def shown(self) -> dict[str, Any]:
        """Every setting as it may be shown to anybody: no secret key, no password, no gateway token."""
        return {name: _redact(_SHOWN.get(name, ""), getattr(self, name)) for name in NAMES}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


_HINTS: Mapping[str, Any] = get_type_hints(Settings, include_extras=True)
NAMES = tuple(name for name in Settings.__struct_fields__ if name != "notes")
"""The names of all settings, in the order of settings.toml."""
_SHOWN = {name: meta.extra["shown"] for name in NAMES for meta in getattr(_HINTS[name], "__metadata__", ()) if meta.extra is not None}


def settle(
    shipped: Mapping[str, Any], environ: Mapping[str, str], own: Mapping[str, Any] = MappingProxyType({}), faults: Sequence[str] = ()
) -> Settings:
    """What settings.toml, an environment and the operator's own file say -> Settings. Pure.

    Raises: BadSettings, naming all faults, those in `faults` first.
    """
    faults = list(faults)
    notes: list[str] = []
    chosen: dict[str, Any] = {}
    values = {**shipped, **own}
    for name, value in values.items():
        if name in NAMES:
            _choose(chosen, faults, name, name, value, strict=True)
        else:
            faults.append(f"{name}: is not a setting{_instead(name, NAMES)}")
    for name in NAMES:
        if name not in values:
            faults.append(f"{name}: is missing; write it into settings.toml again")

    for key, said in sorted(environ.items()):
        name = key.removeprefix(PREFIX).lower()
        if key in HOST_NAMES and said and PREFIX + HOST_NAMES[key].upper() not in environ:
            _choose(chosen, faults, key, HOST_NAMES[key], said, strict=False)
        elif key.startswith(PREFIX) and name in NAMES:
            _choose(chosen, faults, key, name, said, strict=False)
        elif key.startswith(PREFIX) and name != "settings":
            faults.append(f"{key}: is not a setting{_instead(name, NAMES, PREFIX)}")
    if environ.get("PORT") and PREFIX + "HOST" not in environ and "host" not in own:
        # A host that says on which port it will call reaches the process from another machine.
        chosen["host"] = "0.0.0.0"  # noqa: S104 - see above
    if environ.get("DYNO") and PREFIX + "TRUSTED_PROXIES" not in environ and "trusted_proxies" not in own:
        # Nothing but the host's router reaches a dyno, from a private address that is another one every time. Not "*": with that the
        # visitor's address would be read from what the visitor wrote, not from what the router added.
        chosen["trusted_proxies"] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8"]

    faults += urls(chosen) + contradictions(chosen)
    faults += brokers(chosen, notes) + single_process(chosen, environ, notes)
    if faults:
        raise BadSettings("\n".join(map(plain, faults)))
    return Settings(**chosen, notes=tuple(notes))


def _shipped() -> Path:
    """settings.toml: beside this file in an installed package, at the root of a checkout."""
    beside = Path(__file__).with_name("settings.toml")
    return beside if beside.exists() else Path(__file__).parents[1] / "settings.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadSettings(f"{path}: cannot be read ({why}); check the path, or leave out --settings and {PREFIX}SETTINGS") from error
    return parse(text, str(path))


def parse(text: bytes, origin: str) -> dict[str, Any]:
    """The text of a settings file -> its values, unchecked. Raises: BadSettings where it is not TOML at all."""
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        why = str(error) or "nested too deeply"
        raise BadSettings(f"{origin}: is not a TOML file ({why}); write one `name = value` a line, as in settings.toml") from error


def _choose(chosen: dict[str, Any], faults: list[str], origin: str, name: str, value: Any, *, strict: bool) -> None:
    if not strict and get_origin(_HINTS[name]) is list:
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        checked = msgspec.convert(value, _HINTS[name], strict=strict)
    except msgspec.ValidationError:
        shown = "cannot be used" if name in _SHOWN else f"cannot be {short(value)}"
        faults.append(f"{origin}: {shown}; write {_wanted(name)}")
        return
    if any(_UNREADABLE.search(text) for text in (checked if isinstance(checked, list) else [str(checked)])):
        faults.append(f"{origin}: has control characters or broken UTF-8 in it; write it again, on one line")
        return
    chosen[name] = checked


_UNREADABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def _wanted(name: str) -> str:
    """What a setting may be, in the words of somebody who edits a settings file."""
    hint = _HINTS[name]
    if name == "log_level":
        return "debug, info, warning or error"
    if name == "broker":
        return "auto, none, postgres or redis"
    if name == "phone_region":
        return 'two capital letters such as "DE", or empty'
    if name == "report_files":
        return 'a list of "csv", "html" and "jsonl"'
    if get_origin(hint) is list:
        return 'a list of texts such as ["one", "two"]'
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}[getattr(hint, "__origin__", hint)]
    meta = getattr(hint, "__metadata__", (Meta(),))[0]
    if meta.gt is not None:
        return f"{kind} above {meta.gt} and at most {meta.le}"
    if meta.ge is not None:
        return f"{kind} from {meta.ge} to {meta.le}"
    if meta.max_length is not None:
        return f"{kind} of at most {meta.max_length} characters{', not empty' if meta.min_length else ''}"
    return kind


def _instead(name: str, names: tuple[str, ...], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if not near:
        return "; remove it, or see docs/settings.md for what there is"
    return f"; did you mean {prefix + near[0].upper() if prefix else near[0]}?"


def _redact(shown: str, value: Any) -> Any:
    if not shown or not value or value.startswith("sqlite:"):
        return value
    if shown == "nothing":
        return "***"
    if shown == "scheme":
        return value.partition("://")[0] + "://***"
    parts = urlsplit(value)
    address = parts.netloc.rpartition("@")[2]
    if parts.username is not None:
        address = f"{parts.username}:***@{address}" if parts.password else f"{parts.username}@{address}"
    query = [(name, value if name in ("host", "port", "sslmode") else "***") for name, value in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(netloc=address, query=urlencode(query, safe="*/")))
