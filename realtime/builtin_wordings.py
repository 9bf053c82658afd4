"""The texts that guests are sent unless the owner wrote others: three moments, two channels, six languages.

The short ones keep to the alphabet of GSM 03.38, in which a message is twice as long as in any other: hence no "tôt", no "número".
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

FALLBACK = "en"


class Language(Struct, frozen=True):
    """How a language says what is more than a field."""

    next: str
    """Nobody is ahead."""
    one: str
    many: str
    """"{}" is how many."""
    action: str
    """On the button that leads to the ticket's page."""

    def place(self, ahead: int) -> str:
        """Where a party stands, as a sentence."""
        return self.next if ahead <= 0 else self.one if ahead == 1 else self.many.replace("{}", str(ahead))


LANGUAGES: Mapping[str, Language] = {
    "en": Language("You are next.", "1 party ahead of you.", "{} parties ahead of you.", "See your place"),
    "de": Language("Sie sind als Nächstes dran.", "Noch 1 Gruppe vor Ihnen.", "Noch {} Gruppen vor Ihnen.", "Mein Platz"),
    "fr": Language("Le prochain tour est pour vous.", "1 groupe avant vous.", "{} groupes avant vous.", "Voir ma place"),
    "es": Language("Usted es el siguiente.", "1 grupo delante.", "{} grupos delante.", "Ver mi lugar"),
    "it": Language("Il prossimo turno tocca a voi.", "1 gruppo prima di voi.", "{} gruppi prima di voi.", "Vedi il tuo posto"),
    "tr": Language("Sonraki sizsiniz.", "Önünüzde 1 grup var.", "Önünüzde {} grup var.", "Yerimi göster"),
}

SMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "joined": "{store}: you are {number}. {place} Your place: {link}",
        "almost": "{store}: almost your turn, {number}. {place} Please come. {link}",
        "called": "{store}: it's your turn, {number}. {desk}. {link}",
    },
    "de": {
        "joined": "{store}: Sie haben {number}. {place} Ihr Platz: {link}",
        "almost": "{store}: {number}, gleich dran. {place} Bitte kommen. {link}",
        "called": "{store}: {number}, Sie sind dran. {desk}. {link}",
    },
    "fr": {
        "joined": "{store}: vous avez le {number}. {place} Votre place: {link}",
        "almost": "{store}: {number}, à vous dans un instant. {place} {link}",
        "called": "{store}: {number}, c'est à vous. {desk}. {link}",
    },
    "es": {
        "joined": "{store}: su turno es el {number}. {place} Su lugar: {link}",
        "almost": "{store}: ya casi le toca, {number}. {place} Vuelva, por favor. {link}",
        "called": "{store}: es su turno, {number}. {desk}. {link}",
    },
    "it": {
        "joined": "{store}: siete il {number}. {place} Il vostro posto: {link}",
        "almost": "{store}: {number}, tocca quasi a voi. {place} Tornate. {link}",
        "called": "{store}: {number}, tocca a voi. {desk}. {link}",
    },
    "tr": {
        "joined": "{store}: numara {number}. {place} Yeriniz: {link}",
        "almost": "{store}: {number}, lütfen geri gelin. {place} {link}",
        "called": "{store}: {number}, lütfen hemen gelin. {desk}. {link}",
    },
}

EMAIL: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "joined": (
            "{number}: your place at {store}",
            (
                "Hello {name},\n\nyour number is {number} ({queue}). {place}\nYou can lock your phone, we keep your place.\n\n{note}\n\n"
                "See your place, or leave the line:\n\n{link}\n\nThis link is yours alone: whoever has it holds your place."
            ),
        ),
        "almost": (
            "{number}: almost your turn at {store}",
            "Hello {name},\n\nit is almost your turn. {place}\nPlease come back to {store}.\n\n{link}",
        ),
        "called": ("{number}: it's your turn at {store}", "Hello {name},\n\nit's your turn. {desk}.\n\n{link}"),
    },
    "de": {
        "joined": (
            "{number}: Ihr Platz bei {store}",
            (
                "Guten Tag {name},\n\nIhre Nummer ist {number} ({queue}). {place}\nSie können Ihr Telefon weglegen, wir halten Ihren Platz frei.\n\n"
                "{note}\n\nIhr Platz, oder die Schlange verlassen:\n\n{link}\n\nDieser Link gehört nur Ihnen: Wer ihn hat, hat Ihren Platz."
            ),
        ),
        "almost": (
            "{number}: gleich sind Sie dran bei {store}",
            "Guten Tag {name},\n\ngleich sind Sie dran. {place}\nBitte kommen Sie zurück zu {store}.\n\n{link}",
        ),
        "called": ("{number}: Sie sind dran bei {store}", "Guten Tag {name},\n\nSie sind dran. {desk}.\n\n{link}"),
    },
    "fr": {
        "joined": (
            "{number} : votre place chez {store}",
            (
                "Bonjour {name},\n\nvotre numéro est le {number} ({queue}). {place}\nVous pouvez ranger votre téléphone, nous gardons votre place.\n\n"
                "{note}\n\nVoir votre place, ou quitter la file :\n\n{link}\n\nCe lien n’appartient qu’à vous : qui l’a tient votre place."
            ),
        ),
        "almost": (
            "{number} : bientôt votre tour chez {store}",
            "Bonjour {name},\n\nc’est bientôt votre tour. {place}\nMerci de revenir chez {store}.\n\n{link}",
        ),
        "called": ("{number} : c’est votre tour chez {store}", "Bonjour {name},\n\nc’est votre tour. {desk}.\n\n{link}"),
    },
    "es": {
        "joined": (
            "{number}: su lugar en {store}",
            (
                "Hola {name}:\n\nsu número es el {number} ({queue}). {place}\nPuede guardar el teléfono, le reservamos su lugar.\n\n{note}\n\n"
                "Ver su lugar o salir de la fila:\n\n{link}\n\nEste enlace es solo suyo: quien lo tenga, tiene su lugar."
            ),
        ),
        "almost": (
            "{number}: ya casi es su turno en {store}",
            "Hola {name}:\n\nya casi es su turno. {place}\nVuelva a {store}, por favor.\n\n{link}",
        ),
        "called": ("{number}: es su turno en {store}", "Hola {name}:\n\nes su turno. {desk}.\n\n{link}"),
    },
    "it": {
        "joined": (
            "{number}: il vostro posto da {store}",
            (
                "Buongiorno {name},\n\nil vostro numero è {number} ({queue}). {place}\nPotete mettere via il telefono, vi teniamo il posto.\n\n{note}\n\n"
                "Vedere il posto, o lasciare la fila:\n\n{link}\n\nQuesto link è solo vostro: chi lo ha, ha il vostro posto."
            ),
        ),
        "almost": (
            "{number}: tocca quasi a voi da {store}",
            "Buongiorno {name},\n\ntocca quasi a voi. {place}\nTornate pure da {store}.\n\n{link}",
        ),
        "called": ("{number}: tocca a voi da {store}", "Buongiorno {name},\n\ntocca a voi. {desk}.\n\n{link}"),
    },
    "tr": {
        "joined": (
            "{number}: {store} sıranız",
            (
                "Merhaba {name},\n\nnumaranız {number} ({queue}). {place}\nTelefonunuzu bırakabilirsiniz, yerinizi tutuyoruz.\n\n{note}\n\n"
                "Yerinizi görün ya da sıradan çıkın:\n\n{link}\n\nBu bağlantı yalnızca size aittir: kimdeyse yeriniz ondadır."
            ),
        ),
        "almost": (
            "{number}: {store} sıranız yaklaştı",
            "Merhaba {name},\n\nsıranız yaklaştı. {place}\nLütfen geri gelin: {store}.\n\n{link}",
        ),
        "called": ("{number}: {store} sıra sizde", "Merhaba {name},\n\nsıra sizde. {desk}.\n\n{link}"),
    },
}
"""Subject and text."""
