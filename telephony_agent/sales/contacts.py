"""E-mail addresses and telephone numbers: from what a caller says, and put into words for a read-back.

A wrong address is worse than none, so whatever could be read in two ways is not read at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers

from telephony_agent.sales.spoken_numbers import SMALL, digit_runs, digits_in_words, grouped_in_words
from telephony_agent.sales.words import tokens

_HOME_COUNTRY = 1
"""Of callers whose own number is withheld."""
_MARKS = {
    "dot": ".",
    "period": ".",
    "point": ".",
    "underscore": "_",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
    "plus": "+",
    "punto": ".",
    "guion": "-",
    "guión": "-",
}
_MARK_WORDS = {".": "dot", "_": "underscore", "-": "dash", "+": "plus", "@": "at"}
_DOMAINS = frozenset(
    "com org net edu gov io co uk us ca de es fr it nl ie au nz eu biz info ai app dev me shop store".split()
)
_AT = frozenset({"at", "arroba"})
_BEFORE_ADDRESS = frozenset(
    """is it's its that's to at me us use mail e-mail email address and yes yeah sure okay ok um uh well so no sorry
    actually be it try write reach send not but es a oh look right
    listen hmm yeah great alright then on wait moment""".split()
)
_NEVER_LOCAL = frozenset("me us it is that's to or be am i'm we're work works look website site was".split())
"""What stands before "at" when people say where they are ("I work at example dot com"), not an address."""
_HOST_WORDS = 3
_FILLERS = frozenset({"um", "uh", "er", "erm"})
_WRITTEN = re.compile(r"[\w.+-]+@[\w.-]+")
_SPELLING_HINT = re.compile(r"\bwith (?:an?|one|two|double) [a-z]\b", re.IGNORECASE)
"""As in "John with an H"."""
_LOCAL_PART = re.compile(r"[a-z0-9](?:[a-z0-9._+-]*[a-z0-9])?")
_MIN_DIGITS = 7


def spoken_email(text: str) -> str:
    """Return the one e-mail address that the text dictates or spells, or nothing if there is none or no telling."""
    found = set(_emails(_address_tokens(text)))
    return found.pop() if len(found) == 1 else ""


def web_addresses(text: str) -> set[str]:
    """Return every e-mail address and web host in the text, spoken or written."""
    words = _address_tokens(text)
    hosts = {host for place in range(len(words)) for host, _ in _hosts_at(words, place, 1)}
    return (set(_emails(words)) | hosts) - {""}


def email_in_words(email: str) -> str:
    """Return an e-mail address as it is read out: ``anna dot miller at example dot com``."""
    spaced = re.sub(r"[._+@-]", lambda mark: f" {_MARK_WORDS[mark[0]]} ", email)
    return " ".join(re.sub(r"\d", lambda digit: f" {digits_in_words(digit[0])} ", spaced).split())


def spoken_phone(text: str, own: str) -> str:
    """Return the one telephone number (E.164) that the text dictates, or nothing.

    ``own`` is the E.164 number of the party that speaks: a number without a country code is of its country, a local
    one of its area. Where it is withheld (empty), a number is taken for an American one.
    """
    runs = [run for run in digit_runs(tokens(text)) if len(run.digits) >= _MIN_DIGITS]
    if len(runs) != 1:
        return ""
    home = phonenumbers.parse(own) if own else phonenumbers.PhoneNumber(country_code=_HOME_COUNTRY)
    digits = runs[0].digits
    if runs[0].international:
        dialled = f"+{digits}"
    elif own and home.country_code == 1 and len(digits) == _MIN_DIGITS:
        dialled = f"+1{str(home.national_number)[:3]}{digits}"
    else:
        dialled = digits
    try:
        number = phonenumbers.parse(dialled, phonenumbers.region_code_for_country_code(home.country_code or 0))
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        return ""
    if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_in_words(phone: str) -> str:
    """Return an E.164 number as it is read out, without its country code."""
    national = phonenumbers.national_significant_number(phonenumbers.parse(phone))
    return grouped_in_words(national)


def _address_tokens(text: str) -> list[str]:
    """Cut a text into tokens in which an address may stand: its dashes are words, what is no part of it is gone."""
    dashed = _WRITTEN.sub(lambda written: written[0].replace("-", " dash "), _SPELLING_HINT.sub(" ", text))
    return [word for word in tokens(dashed) if word not in _FILLERS]


def _emails(words: Sequence[str]) -> Iterator[str]:
    """Yield every address; nothing in the place of one whose beginning can't be told."""
    for place, word in enumerate(words):
        if word not in _AT:
            continue
        local = _local_before(words, place)
        hosts = list(_hosts_at(words, place + 1, _HOST_WORDS))
        if hosts:
            yield f"{local}@{hosts[-1][0]}" if local else ""


def _hosts_at(words: Sequence[str], start: int, most: int) -> Iterator[tuple[str, int]]:
    """Yield the hosts that begin at a token, the longest last: one name, or up to ``most`` words run together."""
    name, count, place = "", 0, start
    while place < len(words):
        if _is_atom(words[place]) and words[place] not in _AT and words[place] not in _MARKS:
            name += _atom(words[place])
            count += 1
            place += 1
            if count > most and len(words[place - 1]) > 1:
                return
        elif name and words[place] in ("dash", "hyphen", "minus"):
            name, count, place = f"{name}-", 0, place + 1
        else:
            break
    while name and place + 1 < len(words) and words[place] in ("dot", "point", "period", "punto"):
        label = words[place + 1]
        if not _is_atom(label):
            return
        name, place = f"{name}.{_atom(label)}", place + 2
        if label in _DOMAINS:
            yield name, place


def _local_before(words: Sequence[str], at: int) -> str:
    """Read backwards from the ``at`` to where the address begins; nothing if that can't be told."""
    local, place = "", at - 1
    glued = True
    while place >= 0:
        word = words[place]
        if word in _MARKS:
            local, glued = _MARKS[word] + local, True
        elif not _is_atom(word):
            break
        elif glued or _joins(word, words[place + 1]):
            local, glued = _atom(word) + local, False
        elif word in _BEFORE_ADDRESS or word == words[place + 1]:
            break
        else:
            return ""
        place -= 1
    return local if _LOCAL_PART.fullmatch(local) and local not in _NEVER_LOCAL else ""


def _joins(word: str, following: str) -> bool:
    """Whether two words without a mark between are one: spelled letters, or digits at a name."""
    spelled = len(word) == 1 and len(following) == 1
    return spelled or any(part in SMALL or part.isdecimal() for part in (word, following))


def _is_atom(word: str) -> bool:
    return word.isascii() and word.replace("'", "").isalnum()


def _atom(word: str) -> str:
    return str(SMALL[word]) if word in SMALL else word.replace("'", "")
