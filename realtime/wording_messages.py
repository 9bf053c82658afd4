"""What an owner asks of the texts for guests and of the outbox, and is answered, as types that check themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.messages import Phone, Request

Moment = Literal["joined", "almost", "called"]
Channel = Literal["sms", "email"]
Tag = Annotated[str, Meta(max_length=8, description='A language, as the primary tag of BCP 47: "de".')]
Subject = Annotated[str, Meta(max_length=600, description="Plain text with named fields; empty: ours. A text message has none.")]
Template = Annotated[str, Meta(max_length=8000, description="Plain text with named fields in braces.")]


class WriteWording(Request, frozen=True):
    moment: Moment
    channel: Channel
    language: Tag
    text: Template
    subject: Subject = ""


class ResetWording(Request, frozen=True):
    moment: Moment
    channel: Channel
    language: Tag


class PreviewWording(Request, frozen=True):
    """An empty text is previewed as what would go out without one."""

    moment: Moment
    channel: Channel
    language: Tag
    text: Template = ""
    subject: Subject = ""


class TryWording(Request, frozen=True):
    """Send a text to oneself, as a guest would get it."""

    moment: Moment
    channel: Channel
    language: Tag
    text: Template = ""
    subject: Subject = ""
    phone: Phone = ""


class ChooseLanguage(Request, frozen=True):
    language: Tag


class FieldView(Struct, frozen=True):
    name: str
    means: str
    channels: list[str]
    in_subject: bool


class WordingView(Struct, frozen=True):
    moment: str
    channel: str
    language: str
    subject: str
    text: str


class WordingsView(Struct, frozen=True):
    language: str
    """What guests are told whose language nobody wrote a text in."""
    fields: list[FieldView]
    ours: list[WordingView]
    """The texts that come with the program."""
    own: list[WordingView]
    """Those that the owner wrote in their place."""
    longest: dict[str, int]
    """Characters of a text, by channel."""
    store: str
    """The name of the last store, in whose name a preview speaks."""
    email: str
    """Where a test goes."""
    confirmed: bool
    can_mail: bool
    can_text: bool
    captures: bool
    """Whether messages are kept in the outbox instead of sent."""


class LengthView(Struct, frozen=True):
    encoding: str
    """"GSM-7" or "UCS-2"."""
    units: int
    segments: int
    """Messages that it is sent and paid as."""
    room: int
    """Units that fit without another."""


class WordingPreview(Struct, frozen=True):
    language: str
    """Of the text that goes out."""
    subject: str
    text: str
    html: str
    """The mail's page; empty where there is only text."""
    length: LengthView | None
    """Of a text message."""
    warnings: list[str]


class KeptMessage(Struct, frozen=True):
    """A message that was kept instead of sent."""

    id: str
    at_ms: int
    notifier: str
    recipient: str
    moment: str
    subject: str
    text: str
    html: str


class OutboxView(Struct, frozen=True):
    captures: bool
    """Whether messages are kept now; False: they are sent."""
    messages: list[KeptMessage]
    """The newest first."""
