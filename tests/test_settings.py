"""Settings: what is accepted, what is refused and in which words, and what is never shown."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.errors import BadSettings
from realtime.settings import HOST_NAMES, NAMES, Settings, parse, settle

ROOT = Path(__file__).parents[1]
SHIPPED = tomllib.loads((ROOT / "settings.toml").read_text())


def faults(environ: dict[str, str] | None = None, **own: Any) -> list[str]:
    """The faults of these settings, one a line."""
    with pytest.raises(BadSettings) as caught:
        settle(SHIPPED, environ or {}, own)
    return caught.value.message.splitlines()


def settled(environ: dict[str, str] | None = None, **own: Any) -> Settings:
    return settle(SHIPPED, environ or {}, own)


def test_settings_toml_holds_every_setting_in_order_and_nothing_else() -> None:
    assert tuple(SHIPPED) == NAMES


def test_every_line_of_settings_toml_has_a_comment() -> None:
    bare = [line for line in (ROOT / "settings.toml").read_text().splitlines() if line and "#" not in line]

    assert bare == []


def test_the_shipped_settings_are_good() -> None:
    settings = Settings.load({})

    assert settings == Settings.defaults()
    assert settings.notes == ()
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8000, "sqlite:///nowserving.db")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings.defaults().port = 1  # type: ignore[misc]  # this is the test


# ---- where values come from ---------------------------------------------------------------------------------------


def test_the_environment_wins_over_a_file_and_a_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("port = 1234\nstore_hours = 5\n")

    settings = Settings.load({"NOWSERVING_PORT": "4321"}, file)

    assert (settings.port, settings.store_hours, settings.code_minutes) == (4321, 5, 10)


def test_a_file_can_be_named_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("port = 1234\n")

    assert Settings.load({"NOWSERVING_SETTINGS": str(file)}).port == 1234


def test_every_kind_of_value_can_be_said_in_the_environment() -> None:
    settings = settled(
        {
            "NOWSERVING_SMTP_ALLOW_PLAIN": "true",
            "NOWSERVING_PING_SECONDS": "12.5",
            "NOWSERVING_STORE_HOURS": "3",
            "NOWSERVING_PLUGINS_OFF": "sms, log",
            "NOWSERVING_PHONE_REGION": "DE",
        }
    )

    assert settings.smtp_allow_plain is True
    assert settings.ping_seconds == 12.5
    assert settings.store_hours == 3
    assert settings.plugins_off == ["sms", "log"]
    assert settings.phone_region == "DE"


def test_variables_are_understood_as_hosts_set_them() -> None:
    settings = settled(
        {
            "PORT": "5000",
            "DATABASE_URL": "postgres://ann:secret@db.example.com:5432/shop",
            "REDIS_URL": "rediss://cache.example.com:6380",
            "WEB_CONCURRENCY": "3",
            "SECRET_KEY": "k" * 32,
        }
    )

    assert settings.port == 5000
    assert settings.host == "0.0.0.0"
    assert settings.database_url == "postgresql://ann:secret@db.example.com:5432/shop"
    assert settings.redis_url == "rediss://cache.example.com:6380"
    assert settings.web_concurrency == 3
    assert settings.secret_key == "k" * 32


def test_our_own_variable_wins_over_the_hosts() -> None:
    assert settled({"PORT": "5000", "NOWSERVING_PORT": "6000"}).port == 6000


def test_an_empty_variable_of_the_host_says_nothing() -> None:
    settings = settled(dict.fromkeys(HOST_NAMES, ""))

    assert settings == Settings.defaults()


@pytest.mark.parametrize("said", [{"NOWSERVING_HOST": "127.0.0.1"}, {}])
def test_a_host_that_was_chosen_stays_where_the_host_sets_a_port(said: dict[str, str]) -> None:
    own = {} if said else {"host": "127.0.0.1"}

    assert settled({"PORT": "5000", **said}, **own).host == "127.0.0.1"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://h/d", "postgresql://h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d?host=/run/postgresql"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("sqlite:////var/lib/a.db", "sqlite:////var/lib/a.db"),
    ],
)
def test_a_database_is_brought_into_one_form(said: str, meant: str) -> None:
    assert settled(database_url=said).database_url == meant


def test_valkey_is_reached_as_redis_is() -> None:
    assert settled(database_url="postgres://h/d", redis_url="valkeys://h:1").redis_url == "rediss://h:1"


def test_a_public_address_loses_its_slash() -> None:
    assert settled(public_url="https://queue.example.com/").public_url == "https://queue.example.com"


def test_the_path_of_the_database_file_is_known() -> None:
    assert settled(database_url="sqlite:////var/lib/a.db").sqlite_path == "/var/lib/a.db"
    assert settled(database_url="postgres://h/d").sqlite_path == ""


# ---- faults -------------------------------------------------------------------------------------------------------


def test_all_faults_are_named_at_once() -> None:
    said = faults({"PORT": "abc", "NOWSERVING_PROT": "1"}, store_hours=25, shop_name="Luigi's", log_level="loud", smtp_url="smtp://h")

    assert said == [
        'log_level: cannot be "loud"; write debug, info, warning or error',
        "store_hours: cannot be 25; write a whole number from 1 to 24",
        "shop_name: is not a setting; remove it, or see docs/settings.md for what there is",
        "NOWSERVING_PROT: is not a setting; did you mean NOWSERVING_PORT?",
        'PORT: cannot be "abc"; write a whole number from 0 to 65535',
        "mail_from: is empty although smtp_url is set; write the address mails come from, such as queue@example.com",
        (
            "public_url: is empty although mails go out; they carry links that sign people in, so write the address people use,"
            " such as https://queue.example.com"
        ),
    ]


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(BadSettings, match=r"^port: is missing; write it into settings.toml again$"):
        settle({name: value for name, value in SHIPPED.items() if name != "port"}, {})


def test_an_unreadable_file_is_named_along_with_the_other_faults(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        Settings.load({"PORT": "x"}, tmp_path / "none.toml")

    first, second = caught.value.message.splitlines()
    assert first.startswith(f"{tmp_path}/none.toml: cannot be read (No such file or directory); check the path")
    assert second.startswith("PORT:")


@pytest.mark.parametrize("text", [b"port = ", b"port = 1\nport = 2", b"\xff\xfe", b"a = " + b"[" * 5000])
def test_a_file_that_is_no_toml_is_told_so(text: bytes) -> None:
    with pytest.raises(BadSettings, match=r"mine\.toml: is not a TOML file"):
        parse(text, "mine.toml")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"port": "8000"}, 'port: cannot be "8000"; write a whole number'),
        ({"port": -1}, "port: cannot be -1"),
        ({"port": True}, "port: cannot be true"),
        ({"ping_seconds": float("nan")}, "ping_seconds: cannot be NaN; write a number above 0"),
        ({"smtp_allow_plain": 1}, "smtp_allow_plain: cannot be 1; write true or false"),
        ({"plugins_off": "sms"}, 'plugins_off: cannot be "sms"; write a list of texts'),
        ({"host": "a\nb"}, "host: has control characters"),
        ({"phone_region": "Germany"}, 'phone_region: cannot be "Germany"; write two capital letters'),
        ({"phone_region": "XX"}, 'phone_region: "XX" is no country; write one such as "DE", or leave it empty'),
        ({"flush_window_ms": 101}, "flush_window_ms: cannot be 101"),
        ({"pong_seconds": 30}, "pong_seconds: is 30.0, larger than ping_seconds, which is 25.0"),
        ({"soft_backlog_bytes": 2**20}, "soft_backlog_bytes: is 1048576, larger than hard_backlog_bytes"),
        ({"notifier_deadline_seconds": 90}, "notifier_deadline_seconds: is 90.0, larger than job_lease_seconds"),
        ({"database_url": "mysql://h/d"}, "database_url: must be sqlite:///FILE or postgresql://"),
        ({"database_url": "sqlite://"}, "database_url: names no file"),
        ({"database_url": "sqlite:///:memory:"}, "database_url: names no file"),
        ({"database_url": "postgresql://h:port/d"}, "database_url: must be"),
        ({"redis_url": "http://h"}, "redis_url: must be redis://"),
        ({"smtp_url": "mail.example.com", "mail_from": "a@b.c"}, "smtp_url: must be smtp://"),
        ({"mail_from": "Luigi"}, "mail_from: is not an e-mail address"),
        ({"sms_url": "twilio"}, "sms_url: must be an Apprise URL"),
        ({"public_url": "queue.example.com"}, "public_url: must be http:// or https://"),
        ({"public_url": "https://h/queue"}, "public_url: must be http:// or https:// and a host name, without a path"),
        ({"public_url": "https://a@h"}, "public_url: must be"),
        ({"trusted_proxies": ["10.0.0.0/8", "proxy"]}, 'trusted_proxies: "proxy" is not an address'),
        ({"secret_key": "short"}, "secret_key: is shorter than 32 characters"),
        ({"email_callback_secret": "short"}, "email_callback_secret: is shorter than 16 characters"),
        ({"sms_callback_secret": "short"}, "sms_callback_secret: is shorter than 16 characters"),
    ],
)
def test_one_fault_is_one_line_that_says_what_to_do(own: dict[str, Any], said: str) -> None:
    (fault,) = faults(**own)

    assert fault.startswith(said)
    assert "; " in fault or "such as" in fault or "FILE" in fault or ", or empty" in fault


def test_a_secret_that_cannot_be_used_is_not_repeated() -> None:
    (fault,) = faults(secret_key=["hunter2"])

    assert fault == "secret_key: cannot be used; write a text in quotes"


def test_a_fault_cannot_forge_a_line() -> None:
    own: dict[str, Any] = {"a\nport: fine": 1}

    (fault,) = faults(**own)

    assert fault.startswith("a?port: fine: is not a setting")


# ---- one process, one disk ----------------------------------------------------------------------------------------


def test_sqlite_means_one_process_and_says_so() -> None:
    settings = settled({"WEB_CONCURRENCY": "4", "REDIS_URL": "redis://h"})

    assert settings.web_concurrency == 1
    assert [note.split(",")[0] for note in settings.notes] == ["web_concurrency is 4", "redis_url is set"]


def test_sqlite_on_a_disk_that_is_lost_is_refused() -> None:
    (fault,) = faults({"DYNO": "web.1"})

    assert "set DATABASE_URL to a Postgres database" in fault


def test_it_can_be_allowed() -> None:
    assert settled({"DYNO": "web.1", "NOWSERVING_ALLOW_EPHEMERAL_SQLITE": "true"}).sqlite_path == "nowserving.db"


def test_postgres_on_such_a_host_is_fine() -> None:
    assert settled({"DYNO": "web.1", "DATABASE_URL": "postgres://h/d"}).notes == ()


def test_on_a_dyno_the_router_is_believed_unless_somebody_chose_whom() -> None:
    dyno = {"DYNO": "web.1", "DATABASE_URL": "postgres://h/d"}

    assert "10.0.0.0/8" in settled(dyno).trusted_proxies
    assert "*" not in settled(dyno).trusted_proxies
    assert settled({**dyno, "NOWSERVING_TRUSTED_PROXIES": "10.0.0.1"}).trusted_proxies == ["10.0.0.1"]
    assert "10.0.0.0/8" not in settled({"DATABASE_URL": "postgres://h/d"}).trusted_proxies


# ---- what is shown ------------------------------------------------------------------------------------------------


def test_no_secret_is_shown() -> None:
    settings = settled(
        secret_key="hunter2" * 5,
        database_url="postgres://ann:hunter2@h:5/d?password=hunter2&sslmode=require",
        redis_url="redis://:hunter2@h",
        smtp_url="smtp://ann:hunter2@h:587",
        mail_from="a@b.c",
        sms_url="twilio://hunter2:hunter2@hunter2/hunter2",
    )

    shown = settings.shown()

    assert "hunter2" not in str(shown)
    assert "hunter2" not in repr(settings)
    assert shown["database_url"] == "postgresql://ann:***@h:5/d?password=***&sslmode=require"
    assert shown["redis_url"] == "redis://:***@h"
    assert shown["sms_url"] == "twilio://***"
    assert shown["secret_key"] == "***"


def test_what_is_not_set_is_shown_as_it_is() -> None:
    assert Settings.defaults().shown() == {**SHIPPED}


# ---- anything at all ----------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.sampled_from(sorted(map(str, SHIPPED.values())))
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=20)
VARIABLES = st.sampled_from([*HOST_NAMES, "DYNO", *(f"NOWSERVING_{name.upper()}" for name in NAMES)]) | st.text().map(
    "NOWSERVING_{}".format
)


def outcome(own: dict[str, Any], environ: dict[str, str]) -> None:
    """Settings, or a refusal in which every line is a sentence. Anything else is an error of this test."""
    try:
        settings = settle(SHIPPED, environ, own)
    except BadSettings as refusal:
        assert refusal.message
        assert all(": " in line and line.isprintable() for line in refusal.message.splitlines())
    else:
        assert set(settings.shown()) == set(NAMES)
        assert repr(settings)


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(VARIABLES, st.text(), max_size=6))
@example({"database_url": "postgresql://["}, {})
@example({"public_url": "http://h:99999999"}, {})
@example({"smtp_url": "smtp://h:٣"}, {})
@example({"port": 10**4000}, {})
@example({}, {"PORT": "9" * 5000})
@example({}, {"NOWSERVING_HOST": "\udcff"})
@example({}, {"NOWSERVING_PING_SECONDS": "1e999"})
def test_whatever_is_said_gives_settings_or_one_refusal(own: dict[str, Any], environ: dict[str, str]) -> None:
    outcome(own, environ)


@given(st.binary() | st.text().map(str.encode))
@example(b"a=" + b"9" * 5000)
@example(b"a={" * 3000)
def test_whatever_a_file_holds_gives_settings_or_one_refusal(text: bytes) -> None:
    try:
        own = parse(text, "mine.toml")
    except BadSettings as refusal:
        assert refusal.message.startswith("mine.toml: is not a TOML file")
    else:
        outcome(own, {})


def test_how_long_a_service_may_take_matters_where_one_is_called() -> None:
    short = {"job_lease_seconds": 4.0, "notifier_deadline_seconds": 2.0, "smtp_deadline_seconds": 2.0}

    assert Settings.defaults(**short).job_service_seconds > 4
    with pytest.raises(BadSettings, match=r"job_service_seconds: is 15\.0, larger than job_lease_seconds"):
        Settings.defaults(**short, job_service_url="https://work.example.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [("job_service_url", "work.example.com"), ("job_service_url", "ftp://work.example.com"), ("outbound_networks", ["home"])],
)
def test_what_is_no_service_and_no_network_is_named(name: str, value: object) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: "):
        Settings.defaults(**{name: value})
