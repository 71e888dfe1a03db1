"""Names of people and companies in what an English-speaking caller says.

A transcript with capitals is believed in them; one without is believed only after words that leave no doubt ("my name
is") or as the answer to the question for a name.
"""

from __future__ import annotations

import re

_NOT_NAMES = frozenset(
    """a about absolutely access actually admin administrator afraid after afternoon again agree ahead ai all
    allowed already alright also always am american an and another answer any anybody anyone anything are around
    as ask assistant at available away awesome back bad be because been before begin better big book boss bot
    both british busy but buy by bye call called calling can can't canadian cannot care ceo change cheap closed
    cold come command computer confirm confused connect continue correct cost could court curious customer
    customer's customers day days debug decision definitely delete demo deny developer dial did different
    disable disregard do does doesn't doing don't done driving drop each early easy eight else email encode
    english enough enter evening ever every everybody everyone everything exactly excellent execute expensive
    fair far few fifty fine first five for forget forty forward four free friday from full fun german get
    getting give glad go going gone good goodbye got great guarantee guess had half hand happy hard has have
    having he hello help her here hi him his home honestly how human i i'd i'll i'm i've if ignore in
    information inside instruction instructions insult interested irs is isn't it it's its january just keep
    kidding kind know last late later leave leaving less let let's like list listening little look looking lost
    lot machine mail manager many march matter may maybe me mean meeting message mexican mind minute mister mode
    monday money month more morning most mr mrs ms much my name need neither never new next nice nine no nobody
    none nope not nothing now number o'clock of off office often oh ok okay old on once one only open or other
    our out output outside over override own owner pardon perfect person phone please plus police possible
    president pretend price print probably promise prompt put question quick quite read ready real really record
    recording redirect repeat reveal right robot root run said same saturday say schedule second see select send
    september serious session set seven several she shell should show sick since six so sold some somebody
    someone something soon sorry spanish speaking spell start still stop such summarize sunday super support
    sure switch system table take talk talking tell ten terrible test text than thank thanks that that's the
    their them then there there's these they thing think this those three thursday time tired to today tomorrow
    tonight too tool training transfer translate true try tuesday turn twelve twenty two uh um under until up
    update us use used user very wait wanted wants was way we we're wednesday week welcome well were what what's
    when where which while who who's whom whose why will with without won't wonderful working worried would
    write wrong yeah year yep yes yesterday yet you you'd you'll you're you've your zero""".split()
)
_WORD = r"[^\W\d_][\w'’-]*"
_CAPITAL = r"[A-Z][\w'’-]*"
_STRONG_CUE = re.compile(r"(?:\b(?:my (?:full |first )?|the )|^\W*)name(?: is|['’]s)\s+", re.IGNORECASE)
_WEAK_CUE = re.compile(
    r"\b(?:this is|i['’]m|i am|it['’]s|you['’]re (?:speaking|talking) (?:to|with)|(?:you can |just )call me)\s+",
    re.IGNORECASE,
)
_OPENERS = r"(?:yes|yeah|hello|hi|hey|so|okay|ok|oh|um|uh|well|and|look|listen|right|sure|hmm|it['’]s|it is)"
_SELF_ANNOUNCED = re.compile(
    rf"^\W*(?:(?i:{_OPENERS})\b\W*)*({_CAPITAL}(?: {_CAPITAL})?)"
    rf"(?:,? (?:speaking|here)\b|,? (?:here )?(?:from|at|with) {_CAPITAL} {_CAPITAL})"
)
_LEAD_IN = re.compile(
    r"^\W*(?:(?:yes|yeah|sure|okay|ok|um|uh|well|so|oh|hi|hello|it['’]s|it is|that['’]s|that is|i['’]m|we['’]re|"
    r"we are|called|my name is|from|with|the)\b\W*)+",
    re.IGNORECASE,
)
_AFTER_NAME = r"(?:,? (?:and )?(?:(?:i['’]m|i am) )?(?:(?:calling )?from|with|at|of|i (?:work (?:for|at)|run|own)))\s+"
_COMPANY_CUE = re.compile(
    r"\b(?:i (?:work (?:for|at)|own|run)|(?:the|my|our) (?:company|business|firm|shop)(?:['’]s name|"
    r" name)? is(?: called)?|"
    r"(?<!your )(?:company|business|firm|shop) is called|we['’]re called|we are called)\s+",
    re.IGNORECASE,
)
_COMPANY_ANSWER = re.compile(
    r"\b(?:it['’]s called|i (?:work|am) with|i['’]m (?:with|from|at)|i am (?:from|at)|we['’]re|we are)\s+",
    re.IGNORECASE,
)
_MAX_NAME, _MAX_COMPANY = 2, 4


def spoken_name(text: str, *, asked: bool) -> str:
    """Return the name by which the caller calls themself, or nothing."""
    announced = _SELF_ANNOUNCED.search(text)
    if announced and not _common(announced[1]):
        return announced[1]
    for cue in _STRONG_CUE.finditer(text):
        if name := _run(text[cue.end() :], _MAX_NAME, capitals=False):
            return name
    for cue in _WEAK_CUE.finditer(text):
        sure = asked or cue[0].lower().split()[0] not in ("it's", "it’s")
        if sure and (name := _run(text[cue.end() :], _MAX_NAME, capitals=True)):
            return name
    return _bare(text, _MAX_NAME) if asked else ""


def spoken_company(text: str, name: str, *, asked: bool) -> str:
    """Return the company that the caller is with, or nothing; ``name`` is the name said in the same breath."""
    if name:
        introduced = re.search(rf"{re.escape(name)}{_AFTER_NAME}", text, re.IGNORECASE)
        if introduced and (company := _run(text[introduced.end() :], _MAX_COMPANY, capitals=True)):
            return company
    for cue in _COMPANY_CUE.finditer(text):
        if company := _run(text[cue.end() :], _MAX_COMPANY, capitals="called" not in cue[0].lower() and not asked):
            return company
    if not asked:
        return ""
    for cue in _COMPANY_ANSWER.finditer(text):
        if company := _run(text[cue.end() :], _MAX_COMPANY, capitals=True):
            return company
    return _bare(text, _MAX_COMPANY)


def _run(text: str, most: int, *, capitals: bool) -> str:
    """Read the words of a name from the beginning of a text, up to ``most``."""
    words: list[str] = []
    for match in re.finditer(rf"({_WORD})(\W*)", text):
        if match.start() != (0 if not words else len(" ".join(words)) + 1):
            break
        word, after = match[1], match[2]
        if _common(word) or (capitals and not word[0].isupper()):
            break
        if words and words[0][0].isupper() and not word[0].isupper():
            break
        words.append(word)
        if after != " " or len(words) == most:
            break
    return _titled(" ".join(words))


def _bare(text: str, most: int) -> str:
    """Read an answer that is nothing but a name."""
    rest = _LEAD_IN.sub("", text).strip(" .,!")
    words = rest.split(" ")
    if not 1 <= len(words) <= most or not all(re.fullmatch(_WORD, word) for word in words):
        return ""
    return "" if any(_common(word) for word in words) else _titled(rest)


def _common(text: str) -> bool:
    return any(part.lower().replace("’", "'").removesuffix("'s") in _NOT_NAMES for part in text.split())


def _titled(name: str) -> str:
    return name if name != name.lower() else " ".join(word.capitalize() for word in name.split())
