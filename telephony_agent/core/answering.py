"""Who has answered a call of ours, and what we do about it: greet, say who calls, leave a message, hang up.

Theory of operation
-------------------
Whoever answers speaks first, so we listen before we greet; but nobody is kept waiting for a verdict: first words that
end are greeted like a person's, and so is a silence. Until it is settled that a person talks to us, three witnesses are
heard: the words, the beep, and the carrier's detector. What they are worth:

========================================  ============================================================================
witness                                   what follows
========================================  ============================================================================
words of a mailbox ("after the tone")     a mailbox: silent until the beep; none in ``BEEP_WITHIN_S``: the message
words of a call screening                 name and purpose; then wait for the person, ``SCREENED_WITHIN_S`` at most
"please stay on the line"                 somebody goes to fetch the person: as after a screening's question
words of a menu ("press one")             hang up
other words, or a silence at the start    a person: greet. A greeting as long as a recording's only waits longer
a beep before anybody talked with us      a mailbox: the message, now
carrier: machine, at its beep             a mailbox: the message, now
carrier: machine, otherwise               suspected: who says nothing more gets the message instead of a question
carrier: fax                              hang up
carrier: human; a second answer           a person, settled
========================================  ============================================================================

So a person who was taken for a machine is greeted when they have spoken, whatever the detector says, and a machine
gets one message or none, and never a conversation. ``now`` is monotonic seconds.
"""

from __future__ import annotations

from enum import StrEnum

from telephony_agent.core.call_terms import CallPolicy

SILENT_S = 1.6
"""Who says nothing is greeted after that; the law's limit is two seconds."""
BEEP_WITHIN_S = 8.0
SCREENED_WITHIN_S = 45.0
AGAIN_S = 0.5
"""What is due while somebody speaks is looked at again after that."""
LONG_MS = 3000
"""Nobody says hello for so long, but recordings do."""
FIRST_WORDS_MS = 400
"""The trailing silence after which first words are over."""
RECORDED_WORDS_MS = 1000
"""The same for what may be a recording: they pause between sentences."""
PERSON_MS = 2500
"""Words in which a person comes to a mailbox's telephone are shorter."""
INTRODUCTIONS = 2
ANSWERS = 2
"""So many answers in a talk settle that it is one."""


class Answerer(StrEnum):
    """Who has answered."""

    UNKNOWN = "unknown"
    PERSON = "person"
    MAILBOX = "mailbox"
    SCREENING = "screening"
    MENU = "menu"
    FAX = "fax"


class Move(StrEnum):
    """What we do now."""

    WAIT = "wait"
    """Nothing; what was said needs no answer."""
    CONVERSE = "converse"
    """A person talks to us: the call goes its way."""
    GREET = "greet"
    INTRODUCE = "introduce"
    """Say who calls, and why."""
    LEAVE_MESSAGE = "leave_message"
    """Leave the message, if there is one, and hang up."""
    HANG_UP = "hang_up"


class Answering:
    """What is known of who answered one call. A call that rings us never begins it: there is nothing to find out."""

    def __init__(self, policy: CallPolicy) -> None:
        self._policy = policy
        self.by = Answerer.UNKNOWN
        self.deadline: float | None = None
        """When ``due`` has something to say."""
        self._settled = True
        self._greeted = True
        self._suspected = False
        self._introductions = 0
        self._answers = 0

    @property
    def open(self) -> bool:
        """Whether what is said must be asked about here first."""
        return not (self._settled and self._greeted)

    @property
    def waiting(self) -> bool:
        """Whether silence is no reason to ask anything: nobody was greeted, or a machine is at work."""
        return not self._greeted or (self.open and self.by in (Answerer.MAILBOX, Answerer.SCREENING))

    @property
    def suspected(self) -> bool:
        """Whether silence means a machine: somebody said so, and nobody has answered us."""
        return self.open and self._suspected and not self._answers

    @property
    def by_machine(self) -> bool:
        """Whether no person was reached."""
        return self.by not in (Answerer.UNKNOWN, Answerer.PERSON)

    def begin(self, now: float) -> None:
        """Somebody has picked up."""
        self._settled = self._greeted = False
        self.deadline = now + SILENT_S

    def interrupted(self) -> None:
        """They speak."""
        if not self._greeted and self.by is Answerer.UNKNOWN:
            self.deadline = None

    def wait_ms(self, words: str, spoken_ms: int) -> int | None:
        """Return the trailing silence after which these words are over; None: that is for the words to say."""
        if not self.open:
            return None
        if (
            self._recorded(words)
            or self._puts_on_hold(words)
            or (not self._greeted and (spoken_ms >= LONG_MS or self._suspected))
        ):
            return RECORDED_WORDS_MS
        return None if self._greeted else FIRST_WORDS_MS

    def take(self, words: str, spoken_ms: int, now: float) -> Move:
        """Take what was said in a turn of theirs."""
        if self._policy.is_screening(words) and self._introductions < INTRODUCTIONS:
            self._introductions += 1
            return self._await(Answerer.SCREENING, SCREENED_WITHIN_S, now, Move.INTRODUCE)
        if self._policy.is_mailbox(words):
            return self._await(Answerer.MAILBOX, BEEP_WITHIN_S, now, Move.WAIT)
        if self._policy.is_menu(words):
            return self._machine(Answerer.MENU, Move.HANG_UP)
        if self._puts_on_hold(words) or (self.by is Answerer.SCREENING and not words):
            return self._await(Answerer.SCREENING, SCREENED_WITHIN_S, now, Move.WAIT)
        if self.by is Answerer.MAILBOX and (spoken_ms > PERSON_MS or not words or self._policy.is_goodbye(words)):
            return Move.WAIT
        return self._person()

    def beeped(self) -> Move:
        """A beep was heard, and silence after it."""
        heard_anybody = self._settled or self._answers
        return Move.WAIT if heard_anybody else self._machine(Answerer.MAILBOX, Move.LEAVE_MESSAGE)

    def verdict(self, answered_by: str) -> Move:
        """Take the carrier's word (Twilio's ``AnsweredBy``)."""
        match answered_by:
            case "human" if not self.by_machine:
                self.by, self._settled = Answerer.PERSON, True
            case "fax" if not self._settled:
                return self._machine(Answerer.FAX, Move.HANG_UP)
            case "machine_end_beep" if not self._settled and not self._answers:
                return self._machine(Answerer.MAILBOX, Move.LEAVE_MESSAGE)
            case "machine_end_silence" | "machine_end_other" if not self._settled and self.by is Answerer.MAILBOX:
                return self._machine(Answerer.MAILBOX, Move.LEAVE_MESSAGE)
            case "machine_start" | "machine_end_silence" | "machine_end_other":
                self._suspected = True
        return Move.WAIT

    def due(self, now: float, *, quiet: bool) -> Move:
        """Tell what time alone brings; ``quiet``: nobody speaks."""
        if self.deadline is None or now < self.deadline:
            return Move.WAIT
        if not quiet:
            self.deadline = now + AGAIN_S
            return Move.WAIT
        self.deadline = None
        match self.by:
            case Answerer.MAILBOX:
                return self._machine(Answerer.MAILBOX, Move.LEAVE_MESSAGE)
            case Answerer.SCREENING:
                return self._machine(Answerer.SCREENING, Move.HANG_UP)
            case _:
                return Move.WAIT if self._greeted else self._greet()

    def silence(self) -> Move:
        """Nobody says anything where we would ask whether they are there; they are suspected to be a machine."""
        return self._machine(Answerer.MAILBOX, Move.LEAVE_MESSAGE)

    def _recorded(self, words: str) -> bool:
        policy = self._policy
        return policy.is_mailbox(words) or policy.is_menu(words) or policy.is_screening(words)

    def _puts_on_hold(self, words: str) -> bool:
        return not self._answers and self._policy.asks_to_wait(words)

    def _await(self, by: Answerer, within_s: float, now: float, move: Move) -> Move:
        self.by, self.deadline = by, now + within_s
        return move

    def _machine(self, by: Answerer, move: Move) -> Move:
        self.by, self.deadline = by, None
        self._settled = self._greeted = True
        return move

    def _person(self) -> Move:
        self.by = Answerer.PERSON
        if not self._greeted:
            return self._greet()
        self._answers += 1
        self._settled = self._settled or self._answers >= ANSWERS
        self.deadline = None
        return Move.CONVERSE

    def _greet(self) -> Move:
        self._greeted, self.deadline = True, None
        return Move.GREET
