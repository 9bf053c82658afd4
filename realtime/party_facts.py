"""What plugins are told of a party: the store and queue it waits in, its ticket, and a moment that it wants to hear about."""

from __future__ import annotations

from msgspec import Struct

from realtime import wording
from realtime.wording import OwnText


class Facts(Struct, frozen=True, kw_only=True):
    """A frozen copy of something. New fields may come; none goes or changes its meaning."""


class StoreFacts(Facts, frozen=True, kw_only=True):
    id: str
    name: str
    timezone: str
    """An IANA name."""


class QueueFacts(Facts, frozen=True, kw_only=True):
    id: str
    """The letter that its numbers begin with."""
    name: str
    waiting_text: str = ""
    end_text: str = ""


class TicketFacts(Facts, frozen=True, kw_only=True):
    id: int
    label: str
    """"A07"."""
    name: str
    phone: str = ""
    """E.164, or empty."""
    email: str = ""
    party: int = 1
    desk: str = ""
    ahead: int = 0
    """Parties before this one."""
    walk_in: bool = False
    queue: str = ""
    """The name of its queue."""
    push: tuple[str, ...] = ()
    """The browsers that asked to be notified: a delivery to each, by a notifier with a `push_key`, names one as its recipient."""


class JoinFacts(Facts, frozen=True, kw_only=True):
    """A party asks for a place in a queue."""

    store: StoreFacts
    queue: QueueFacts
    name: str
    phone: str = ""
    email: str = ""
    party: int = 1
    waiting: int = 0
    """Parties waiting in that queue."""
    walk_in: bool = False
    """True when the staff add the party."""
    now_ms: int = 0


class Said(Facts, frozen=True, kw_only=True):
    """A message as it goes out."""

    language: str
    """Of the text, which may be another than the party's."""
    subject: str
    """Empty where the channel has none."""
    text: str
    action: str
    """What a button that leads to the ticket's page says."""


class TicketNotice(Facts, frozen=True, kw_only=True):
    """Something that a party wants to be told."""

    moment: str
    """"joined", "almost" or "called"."""
    store: StoreFacts
    queue: QueueFacts
    ticket: TicketFacts
    link: str
    """Address of the ticket's own page. Secret: only for the party itself."""
    now_ms: int
    language: str = "en"
    """What the party reads, as a primary tag of BCP 47; the store's language where it said nothing."""
    store_language: str = "en"
    """What is said where there is no text in the party's language."""
    texts: tuple[OwnText, ...] = ()
    """What the owner wrote in place of our texts, for this moment; `wording` chooses among them."""

    together: tuple[TicketFacts, ...] = ()
    """For "joined": all parties of one request, this one among them, in the order of their numbers; empty where there is only one."""

    def shared(self, channel: str) -> tuple[TicketFacts, ...]:
        """The parties of the request that are told over a channel, "email" or any other, at this one's address or number: this one at least."""
        ticket = self.ticket

        def address(of: TicketFacts) -> str:
            return (of.email if channel == "email" else of.phone).lower()

        return tuple(each for each in self.together if address(each) and address(each) == address(ticket)) or (ticket,)

    def told_with_another(self, channel: str) -> bool:
        """Whether an earlier party of the same request is told at the same number or address, in a message that names this one's number too."""
        return self.shared(channel)[0].id != self.ticket.id

    def numbers(self, channel: str) -> str:
        """The numbers that the message over a channel is about: "A07", or "A07, A08"."""
        return ", ".join(each.label for each in self.shared(channel))

    def wording(self, channel: str) -> Said:
        """What to say over a channel, "sms" or "email": the owner's own text, else ours, in the party's language, filled in.

        Any other channel is told the short text of an SMS.
        """
        ticket = self.ticket
        parties = self.shared(channel)
        queues = list(dict.fromkeys(each.queue for each in parties)) if len(parties) > 1 else [self.queue.name]
        # Of parties in several queues none stands where another does.
        one_line = len(queues) == 1
        language, template = wording.chosen(self.moment, channel, (self.language, self.store_language), self.texts)
        values = {
            "number": self.numbers(channel),
            "place": wording.sentence_of_place(language, ticket.ahead) if one_line else "",
            "ahead": str(ticket.ahead) if one_line else "",
            "desk": ticket.desk,
            "name": ticket.name,
            "people": str(sum(each.party for each in parties)),
            "store": self.store.name if channel == "email" else wording.short(self.store.name),
            "queue": ", ".join(queues),
            "note": self.queue.waiting_text if one_line else "",
            "link": self.link,
        }
        said = wording.say(template, values)
        if not said.text:  # nothing but fields that have no value now
            said = wording.say(wording.chosen(self.moment, channel, (language,), ())[1], values)
        return Said(language=language, action=wording.action(language), subject=said.subject, text=said.text)
