"""The reference agent that pocket-qwen learns from: one caller sentence in, the right reply out, by plain rules.

The rules read nothing but the playbook and what stands in the dialogue, so a model that sees the same text can learn
them. A reply answers first, in a short sentence, and then asks for the one next step.

========= ===================================================== =========================
pending   asked by                                              "yes" / "no" then mean
========= ===================================================== =========================
minute    the greeting                                          go on / no time
size      the playbook's first question                         ask it again / skip it
meeting   the offer of a meeting                                agreed / a refusal
day, time the two halves of an appointment                      ask it again / another day
email     the address for the invitation or the information     ask it again / without it
confirm   the address read back                                 right / say it again
callback  when to call back                                     ask it again / never mind
mail      the offer to send an e-mail                           ask the address / never mind
list      the offer to take the number off the list             opt out / go on
else      "anything else?"                                      go on / goodbye
agree     the guide, which reads a day and a time back          (the guide answers)
go_on     the guide: "may I go on?"                             go on / go on
========= ===================================================== =========================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.pocket_models.sentences import Sentence
from telephony_agent.sales.playbook import END_CALL, Playbook

UNCLEAR = "unclear"
"""The intent of a caller turn that nobody could understand."""

FACTS: Mapping[str, str] = {
    "how_it_works": "how it works",
    "discount": "discount",
    "contract": "contract",
    "setup": "setup",
    "security": "security",
    "support": "support",
    "trial": "trial",
    "location": "office",
    "customers": "customers",
}
"""The topic of the playbook that answers an intent."""

OBJECTIONS: Mapping[str, str] = {
    "not_interested": "not interested",
    "have_supplier": "have a supplier",
    "too_expensive": "too expensive",
}
"""The objection of the playbook that answers an intent; each counts as a refusal."""

SMALL_TALK: Mapping[str, tuple[str, ...]] = {
    "greeting": ("Hello.", "Hi there."),
    "are_you_robot": ("Yes, I'm an AI assistant, not a person.",),
    "weather": ("I'm an AI, so I never see the weather.",),
    "how_are_you": ("I'm doing well, thanks.", "Very well, thank you."),
    "thanks": ("You're welcome.", "My pleasure."),
}
"""Openings that need no playbook."""

MAX_PUSHES = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """A right reply: what it does, the caller's or playbook's values that it quotes, and its equally good wordings."""

    act: str
    slots: Mapping[str, str]
    wordings: tuple[str, ...]


@dataclass(slots=True)
class ReferenceAgent:
    """Answers a caller by the playbook and by what was said before."""

    playbook: Playbook
    pending: str = ""
    name: str = ""
    day: str = ""
    time: str = ""
    size: str = ""
    email: str = ""
    agreed: bool = False
    size_asked: bool = False
    email_done: bool = False
    pushes: int = 0
    last: str = ""
    slots: dict[str, str] = field(default_factory=dict)

    def answer(self, sentence: Sentence) -> Reply:
        """Answer what the caller said; the caller is then told one of the reply's wordings, through ``said``."""
        self.slots = {}
        act, wordings = self._route(sentence)
        return Reply(act, self.slots, wordings)

    def said(self, wording: str) -> None:
        """Note what was really said, which is what ``repeat`` repeats."""
        self.last = wording.removeprefix("Of course. ")

    def interrupted(self, wording: str) -> None:
        """Note that a reply was cut before its question was heard."""
        self.last = wording
        if self.pending == "size":
            self.size_asked = False
        self.pending = ""

    # What comes next.

    def _ask(self, pending: str) -> str:
        self.pending = pending
        if pending == "size":
            self.size_asked = True
        return {
            "minute": "Do you have a minute?",
            "size": self.playbook.question,
            "meeting": f"Would you like {self.playbook.meeting}?",
            "day": "Which day suits you?",
            "time": "What time suits you?",
            "email": "What is your e-mail address?",
            "confirm": "Is that right?",
            "callback": "When should I call you back?",
            "mail": "Shall I send you an e-mail?",
            "list": "Shall I take you off our list?",
            "else": "Anything else I can help with?",
        }[pending]

    def _next(self) -> str:
        """Ask for the one next step."""
        if self.agreed and not self.day:
            return self._ask("day")
        if self.agreed and not self.time:
            return self._ask("time")
        if self.agreed and not self.email_done:
            return self._ask("email")
        if self.agreed:
            return self._ask("else")
        if not self.size_asked and not self.size:
            return self._ask("size")
        if self.pushes:
            return self._ask("else")
        return self._ask("meeting")

    def _then_next(self, *openings: str) -> tuple[str, ...]:
        step = self._next()
        return tuple(f"{opening} {step}" for opening in openings)

    def _then_ask(self, pending: str, *openings: str) -> tuple[str, ...]:
        step = self._ask(pending)
        return tuple(f"{opening} {step}" for opening in openings)

    def _end(self, *openings: str) -> tuple[str, ...]:
        self.pending = ""
        return tuple(f"{opening} {END_CALL}" for opening in openings)

    # What the caller said.

    def _route(self, sentence: Sentence) -> tuple[str, tuple[str, ...]]:
        intent = sentence.intent
        if intent in FACTS:
            return intent, self._fact(FACTS[intent])
        if intent in OBJECTIONS:
            return self._refused(OBJECTIONS[intent])
        if intent in SMALL_TALK:
            return intent, self._then_next(*SMALL_TALK[intent])
        match intent:
            case "yes":
                return self._yes()
            case "no":
                return self._no()
            case "book" | "give_day" | "give_time" | "change_day" | "call_on_day":
                return self._appointment(intent, sentence.slots)
            case "give_name" | "introduce" | "give_company" | "give_size" | "give_email":
                return intent, self._noted(intent, sentence.slots)
            case "price" | "plan_price" | "which_plans" | "integration":
                return self._offer(intent, sentence.slots)
            case "goodbye" | "opt_out" | "wrong_number":
                return intent, self._leave(intent)
            case _:
                return intent, self._talk(intent)

    def _fact(self, topic: str) -> tuple[str, ...]:
        fact = self.playbook.facts.get(topic)
        if fact is None:
            return self._then_next("I don't know that, but a colleague does.")
        return self._then_next(fact, f"Good question. {fact}")

    def _refused(self, objection: str) -> tuple[str, tuple[str, ...]]:
        self.pushes += 1
        answer = self.playbook.objections.get(objection, "That's fair.")
        if self.pushes > MAX_PUSHES:
            return "leave", self._end("Okay, I won't keep you. Thank you for your time. Goodbye.")
        self.pending = "meeting"
        if self.pushes == MAX_PUSHES:
            return "last_push", (f"Fair enough. {answer} One last question: would you like {self.playbook.meeting}?",)
        return "push", (f"I understand. {answer} May I still offer you {self.playbook.meeting}?",)

    def _yes(self) -> tuple[str, tuple[str, ...]]:
        pending = self.pending
        match pending:
            case "minute":
                wordings = self._then_next(f"Great. {self.playbook.pitch}")
            case "meeting":
                self.agreed = True
                wordings = self._then_next("Great.", "Wonderful.")
            case "mail" | "email":
                wordings = self._then_ask("email", "Good.")
            case "confirm":
                self.email_done = True
                wordings = self._then_next("Perfect.")
            case "list":
                return "opt_out", self._leave("opt_out")
            case "else":
                self.pending = ""
                wordings = ("Sure, what would you like to know?",)
            case "size" | "day" | "time" | "callback":
                wordings = self._then_ask(pending, "Good.")
            case _:
                wordings = self._then_next("Great.")
        return f"yes_{pending}", wordings

    def _no(self) -> tuple[str, tuple[str, ...]]:
        pending = self.pending
        match pending:
            case "minute":
                return "no_time", self._talk("no_time")
            case "meeting":
                return self._refused("not interested")
            case "email":
                self.email_done = True
                wordings = self._then_next("No problem.")
            case "confirm":
                self.email = ""
                wordings = self._then_ask("email", "Sorry about that.")
            case "day" | "time":
                wordings = self._then_ask("day", "No problem.")
            case "else":
                return "goodbye", self._leave("goodbye")
            case _:
                wordings = self._then_next("No problem.")
        return f"no_{pending}", wordings

    def _appointment(self, intent: str, slots: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        self.slots = dict(slots)
        if intent == "call_on_day" or self.pending == "callback":
            when = " at ".join(slots[key] for key in ("day", "time") if key in slots)
            return "callback_set", self._then_ask("else", f"Okay, {when}. I'll call you then.")
        self.agreed = True
        self.day = slots.get("day", self.day)
        self.time = slots.get("time", self.time)
        if self.day and self.time:
            self.slots = {"day": self.day, "time": self.time}
            opening = "No problem" if intent == "change_day" else "Great"
            return "booked", self._then_next(f"{opening}, {self.day} at {self.time}.")
        return intent, self._then_next(f"Okay, {self.day or self.time}.")

    def _noted(self, intent: str, slots: Mapping[str, str]) -> tuple[str, ...]:
        self.slots = dict(slots)
        match intent:
            case "give_size":
                self.size = slots["number"]
                return self._then_next(f"Okay, {self.size} people.")
            case "give_email":
                self.email = slots["email"]
                return self._then_ask("confirm", f"Got it, {self.email}.")
            case "give_company":
                return self._then_next(f"Good to know, {slots['company']}.")
        self.name = self.slots["name"] = slots["name"].split()[0]
        if intent == "introduce":
            return self._then_next(f"Nice to meet you, {self.name} from {slots['company']}.")
        return self._then_next(f"Nice to meet you, {self.name}.")

    def _offer(self, intent: str, slots: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        plans = {plan.name: plan.price for plan in self.playbook.plans}
        first, *others = plans
        match intent:
            case "integration":
                self.slots = {"tool": slots["tool"]}
                if slots["tool"].lower() in (tool.lower() for tool in self.playbook.integrations):
                    return "integration", self._then_next(f"Yes, it works with {slots['tool']}.")
                return "no_integration", self._then_next(f"I'm not sure about {slots['tool']}, a colleague can check.")
            case "plan_price" if slots["plan"] in plans:
                self.slots = {"plan": slots["plan"], "price": plans[slots["plan"]]}
                return intent, self._then_next(f"The {slots['plan']} plan is {plans[slots['plan']]}.")
            case "price":
                self.slots = {"plan": first, "price": plans[first]}
                return intent, self._then_next(f"The {first} plan is {plans[first]}.")
        names = " and ".join([", ".join([first, *others[:-1]]), *others[-1:]])
        self.slots = {"plans": names}
        if intent == "plan_price":
            self.slots["plan"] = slots["plan"]
            return "no_plan", self._then_next(f"We have no {slots['plan']} plan, only {names}.")
        return intent, self._then_next(f"We have {names}.")

    def _leave(self, intent: str) -> tuple[str, ...]:
        match intent:
            case "opt_out":
                return self._end("Understood. I'm taking you off our list, and we won't call again. Goodbye.")
            case "wrong_number":
                return self._end("I'm sorry about that. I'll remove this number. Goodbye.")
        thanks = f"Thank you, {self.name}." if self.name else "Thank you for your time."
        self.slots = {"name": self.name} if self.name else {}
        if self.agreed and self.day and self.time:
            self.slots |= {"day": self.day, "time": self.time}
            return self._end(f"{thanks} See you {self.day} at {self.time}. Goodbye.")
        return self._end(f"{thanks} Have a good day. Goodbye.")

    def _talk(self, intent: str) -> tuple[str, ...]:
        book = self.playbook
        match intent:
            case "who_is_this":
                return self._then_next(f"This is {book.persona}, the AI assistant of {book.company}.")
            case "what_is_it":
                return self._then_next(book.pitch, f"It's about {book.product}. {book.pitch}")
            case "benefit":
                return self._then_next(f"That's easy. {book.pitch}")
            case "off_topic":
                return self._then_next(f"I can only help with {book.product}.")
            case "no_time":
                return self._then_ask("callback", f"I understand. {book.objections.get('no time', 'No problem.')}")
            case "call_later":
                return self._then_ask("callback", "Of course.", "Sure.")
            case "human":
                return self._then_ask("callback", "Of course, a colleague will call you.")
            case "not_decider":
                return self._then_ask("mail", "That's fine.")
            case "send_email":
                return self._then_ask("email", "Sure.", "Of course.")
            case "where_number":
                source = book.facts.get("your number", "I don't know that, I'm sorry.")
                return self._then_ask("list", source)
            case "rude":
                return self._then_ask("list", "I'm sorry for the trouble.")
            case "want_meeting":
                self.agreed = True
                return self._then_next("Great.", "Wonderful.")
            case "hold_on":
                return ("Sure, take your time.", "Of course, I'll wait.")
            case "repeat":
                return (f"Of course. {self.last}",) if self.last else self._then_next("Of course.")
            case _:
                return ("Sorry, I didn't catch that. Could you say it again?",)
