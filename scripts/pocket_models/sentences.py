"""What callers say in a sales call: a grammar of intents, each with several wordings and slots.

A template is plain text with ``(a|b|)`` for alternatives (they don't nest) and ``{slot}`` for a value, drawn by the
functions of ``lexicon``. The text is what a transcriber would print: lower case but for names, companies, tools,
weekdays and "I"; no punctuation but the apostrophe; numbers in words; e-mails as spoken.

The grammar is split by a stable hash of the finished text: one sentence in twenty is held out of training, for ever.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.pocket_models.lexicon import REAL_WORDS, Draw

HELD_OUT_ONE_IN = 20
_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")

FILLERS = ("um", "uh", "well", "okay so", "yeah", "so", "right", "look", "okay", "oh", "sure", "listen", "hmm", "and")

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "greeting": (
        "hello",
        "hi (there|)",
        "hello (hello|there)",
        "(hello|hi|hey) good (morning|afternoon|evening)",
        "good (morning|afternoon|evening) (to you|)",
        "hey (there|)",
        "yes hello",
        "hello (can you hear me|is anyone there|anybody there)",
    ),
    "who_is_this": (
        "who is this",
        "who's (this|calling|speaking)",
        "who am I (speaking|talking) to",
        "(sorry|excuse me|) who are you",
        "what's your name (please|)",
        "(can you tell me|may I ask) who's calling",
        "what company (is this|are you from|are you with|are you calling from)",
        "where are you calling from",
        "(sorry|) who did you say you (are|were)",
        "do I know you",
    ),
    "are_you_robot": (
        "are you a (robot|machine|computer|bot|real person|human)",
        "is this a (robot|machine|computer|recording|bot|real person)",
        "am I (speaking|talking) to a (robot|machine|computer|real person|human)",
        "are you (real|human|artificial)",
        "you sound like a (robot|machine|computer|recording)",
        "is this an (a i|automated call)",
        "wait are you (a|some kind of) (robot|machine|computer)",
    ),
    "what_is_it": (
        "what (is it|is this) about",
        "what are you (selling|offering)",
        "what do you (do|sell|offer)",
        "what's this (call|) about",
        "what does (it|your company|your product) do",
        "what (exactly|) is it that you (do|sell|offer)",
        "tell me (more|) about (it|your product|your company)",
        "why are you calling (me|)",
        "what can I do for you",
        "what is your product",
        "(go ahead|go on) (tell me|I'm listening)",
        "how can I help you",
        "I'm listening what is it",
    ),
    "how_it_works": (
        "how does (it|that|this) work",
        "(can you|could you) (explain|tell me) how (it|that) works",
        "how would (it|that) work for (us|me)",
        "so how does (it|this) actually work",
        "what would I have to do",
        "how do (my|our) customers use it",
        "is it (easy|hard|difficult) to use",
    ),
    "benefit": (
        "why (would|should) (I|we) (need|want) (it|that)",
        "what's in it for (me|us)",
        "how would (that|it) help (me|us)",
        "what's the benefit (for us|of that|)",
        "what do (I|we) get out of (it|that)",
        "why should I (care|buy it|switch)",
        "what makes you (better|different|special)",
        "how are you (better|different) (from|than) (the others|what we have)",
    ),
    "price": (
        "how much (is it|does it cost|would it cost|is that|does that cost)",
        "what (does it|would it|will it|does that) cost",
        "what's the (price|cost)",
        "(can you|could you) tell me (the price|what it costs|the prices)",
        "what are your (prices|rates)",
        "how much (do you charge|would we pay|would I pay)",
        "what would (I|we) (pay|have to pay)",
        "what's the damage",
        "give me the price",
        "how much (money|) are we talking about",
        "is it expensive",
    ),
    "plan_price": (
        "how much is the {plan} plan",
        "what does the {plan} plan cost",
        "what's the price of the {plan} plan",
        "and (how much is|what about) the {plan} plan",
        "what about (the|your) {plan} plan",
        "how much would the {plan} plan be",
        "the {plan} plan how much is that",
        "tell me (about|the price of) the {plan} plan",
        "what would I pay for the {plan} plan",
        "and the {plan} plan",
        "(can you|could you) tell me what the {plan} plan costs",
    ),
    "which_plans": (
        "what plans (do you have|are there)",
        "which plans (do you have|are there|do you offer)",
        "what (are|were) the plans",
        "what (options|packages) (do you have|are there)",
        "what kind of plans do you (have|offer)",
        "are there different plans",
        "(can you|could you) (list|go over|tell me) the plans",
        "do you have more than one plan",
    ),
    "discount": (
        "(is there|do you have|can I get|do we get) a discount",
        "do you (give|offer|have) (any|) discounts",
        "can you (do|make it) cheaper",
        "(is there|do you have) a (special offer|deal)",
        "can you (give me|do) a better price",
        "what if (I|we) pay (for the year|yearly)",
        "can you come down on the price",
        "any discount (for|if we pay) (a year|yearly)",
    ),
    "contract": (
        "(is there|do you have|do I have to sign) a contract",
        "how long (is|does) the contract (last|run|)",
        "what's the (contract length|minimum term)",
        "am I (locked|tied) in",
        "can (I|we) cancel (any time|whenever we want|)",
        "how do (I|we) cancel",
        "what if (I|we) want to (cancel|stop)",
        "how long (do we|would I) have to (sign up|commit) for",
    ),
    "setup": (
        "how long does (it|that|setup) take (to set up|to install|to get started)",
        "how long does (setup|the setup) take",
        "(is it|is that) (hard|difficult|easy) to (set up|install)",
        "how (fast|quickly|soon) can we (start|get started|be up and running)",
        "what about the setup",
        "who (sets it up|does the setup)",
        "do (I|we) have to set (it|that) up ourselves",
        "how do (I|we) get started",
    ),
    "security": (
        "is (my|our|the) data (safe|secure|protected)",
        "what about (security|privacy|data protection)",
        "where (is|do you keep|do you store) (our|my|the) data",
        "how do you (protect|handle) (our|my|customer) data",
        "is (it|that) (safe|secure)",
        "who can see (our|my) data",
        "I'm worried about (security|privacy|our data)",
    ),
    "integration": (
        "does it work with {tool}",
        "(can it|does it) connect (to|with) {tool}",
        "we use {tool} (does that work|is that a problem|will that work)",
        "do you (support|work with) {tool}",
        "is there (a connection|an integration) (to|with|for) {tool}",
        "will it work with {tool}",
        "can we keep (using|) {tool}",
        "what about {tool}",
        "we have everything in {tool}",
    ),
    "support": (
        "what are your (support hours|opening hours)",
        "do you have (phone|customer|any|) support",
        "what if (something breaks|we need help|it doesn't work)",
        "who do (I|we) call (for help|if something breaks|when there's a problem)",
        "when is (support|your support team) (open|available)",
        "is there (someone|anyone) (I|we) can call",
        "how good is your support",
        "can (I|we) (reach|get) someone (on the weekend|at night)",
    ),
    "trial": (
        "(is there|do you have|do you offer) a (free trial|trial|demo)",
        "can (I|we) (try it|test it|try it out) (first|for free|)",
        "how long is the (trial|free trial)",
        "can (I|we) see it (first|before we buy|)",
        "do (I|we) need a credit card (for the trial|to try it)",
        "is (it|the trial) free",
        "I'd like to try it (first|before I buy|)",
    ),
    "location": (
        "where are you (based|located)",
        "where is your (office|company)",
        "what city are you in",
        "are you (local|from around here|a local company)",
        "where's your (head office|office)",
        "do you have an office (here|near us|around here)",
    ),
    "customers": (
        "who else uses (it|this|that)",
        "how many customers do you have",
        "who are your customers",
        "do you have (references|other customers|reviews)",
        "do (any|other) (businesses|companies) like (ours|mine) use (it|this)",
        "how long have you been (around|in business)",
        "can I (talk to|see) (a customer|a reference|some reviews)",
    ),
    "no_time": (
        "I (have|got) no time (right now|)",
        "I don't have (time|the time) (right now|for this|)",
        "I'm (busy|in a meeting|driving) (right now|at the moment|)",
        "this is (a bad time|not a good time)",
        "now is not a good time",
        "I'm in the middle of something",
        "can you make it (quick|fast|short) (please|)",
        "I only have (a minute|one minute|a second)",
        "I'm with a (customer|client) (right now|)",
    ),
    "not_interested": (
        "(I'm|we're) not interested",
        "(no thanks|no thank you) (I'm|we're) not interested",
        "(I|we) don't (need|want) (it|that|this|anything)",
        "not interested (sorry|thanks|thank you)",
        "that's not (for us|for me|something we need)",
        "(I|we) have no (need|use) for (it|that|this)",
        "I don't think (we need it|we need that|it's for us|that's for us)",
        "(no|sorry) (it's|that's) (not for us|nothing for us)",
        "we're (fine|good) thanks (not interested|)",
    ),
    "send_email": (
        "(can you|could you|just) send me (an e-mail|some information|the details|something in writing)",
        "send me (an e-mail|the details|some information) (please|instead|)",
        "can you e-mail (me|me that|me the details)",
        "(I'd|I would) (like|prefer) (an e-mail|it by e-mail|to read about it)",
        "put it in an e-mail",
        "just e-mail me",
        "do you have something I can read",
        "can I get that (in writing|by e-mail)",
    ),
    "give_email": (
        "(my|the) (e-mail|e-mail address) is {email}",
        "it's {email}",
        "{email}",
        "you can (e-mail|reach|write to) me at {email}",
        "send it to {email}",
        "use {email}",
        "that's {email}",
        "sure (it's|send it to) {email}",
    ),
    "have_supplier": (
        "we (already|) have (a supplier|someone|a provider) (for that|)",
        "we already (use|have) (something|another company|another system)",
        "we're (happy|fine) with (what we have|our current supplier|our current system)",
        "we (already|) work with (someone else|another company|a competitor)",
        "we've already got (something|someone|a system) (for that|like that|)",
        "I (already|) have (a system|something like that)",
        "we just (signed|bought) (with someone else|another system|something else)",
    ),
    "too_expensive": (
        "(that's|it's) (too|very|really|pretty) expensive",
        "that's (too much|a lot of money|a lot|way too much)",
        "(I|we) can't afford (that|it)",
        "we don't have (the budget|the money|a budget) (for that|)",
        "(that's|it's) more than (I|we) (want|wanted) to (pay|spend)",
        "that's (over|out of) our budget",
        "(the|your) price is too high",
        "I can get (it|that) cheaper (somewhere else|elsewhere)",
    ),
    "not_decider": (
        "(I'm not|I am not) the (decision maker|boss|owner|right person)",
        "I (don't|can't) (decide|make that decision)",
        "you (need|have) to (talk|speak) to (my boss|the owner|my manager)",
        "(my boss|the owner|my manager) (decides|handles) that",
        "that's not (my decision|up to me)",
        "I'd have to (ask|talk to) (my boss|my partner|the owner|my manager)",
        "I just (work here|answer the phone)",
    ),
    "call_later": (
        "(can you|could you|please) call (me|) back later",
        "call me (back|again) (later|another time|some other time)",
        "(can we|could we) (talk|do this|speak) (later|another time)",
        "try me again later",
        "(can you|could you) try (again|me) (another time|later)",
        "(I'll|let me) call you back (later|)",
        "maybe (later|another time)",
    ),
    "call_on_day": (
        "(call me|call me back|try me) on {day}",
        "(can you|could you) call (me|) back on {day}",
        "call (me|) back on {day} at {time}",
        "please call (me|) on {day} (instead|)",
        "{day} would be better for a call",
        "(I'm|I'll be) free for a call on {day}",
    ),
    "where_number": (
        "where did you get (my number|this number|my details)",
        "how did you get (my number|this number|my details)",
        "who gave you (my number|this number|my name)",
        "why do you have my number",
        "how do you know (my number|me)",
        "where do you have my number from",
    ),
    "opt_out": (
        "stop calling (me|us|here|this number)",
        "(please|) take me off (your|the) list",
        "(don't|do not|never) call (me|us|here|this number) (again|any more)",
        "remove (my number|me|us) (from your list|please|)",
        "(put|add) me on (your|the) do not call list",
        "unsubscribe (me|)",
        "I don't want (any more calls|these calls|you to call me again)",
        "(delete|remove) my number (from your list|please|)",
        "quit calling (me|us)",
        "stop (bothering|harassing) me",
        "lose my number",
        "take (my number|us) off (your|the) list",
    ),
    "wrong_number": (
        "you (have|got|must have) the wrong number",
        "(I think|) (you've|you have) (got|) the wrong (number|person)",
        "wrong number (sorry|)",
        "there's (nobody|no one) (here|) by that name",
        "this is (a private number|not a business|a home number)",
        "you called the wrong (number|person|place)",
    ),
    "human": (
        "(can I|I want to|I'd like to|let me) (talk|speak) to (a person|a human|a real person|someone)",
        "(give me|get me|put me through to) (a person|a human|your manager|a real person)",
        "is there a (person|human|real person) I can (talk|speak) to",
        "transfer me (to a person|please|)",
        "I (don't want to|won't) talk to a (machine|robot|computer)",
        "can someone (call me|real call me)",
    ),
    "want_meeting": (
        "(I'd|I would) like to (book|set up|schedule) (a meeting|a demo|an appointment)",
        "(can we|let's|could we) (book|set up|schedule|have) (a meeting|a demo|an appointment)",
        "(okay|sure) let's (meet|do it|book it)",
        "when can (we meet|you show me|we talk about it)",
        "I'd like to see (a demo|it)",
        "(sounds good|that sounds good|sounds interesting) let's (meet|talk|do it)",
        "when are you (free|available)",
    ),
    "book": (
        "(how about|let's say|what about|let's do) {day} at {time}",
        "{day} at {time}",
        "{day} at {time} (works|would work|is good|is fine|would be great)",
        "(can we|could we) (do|meet on|say) {day} at {time}",
        "(book|put) me (in|down) (for|on) {day} at {time}",
        "(I'm|I am) free on {day} at {time}",
        "(I can do|I could do|make it) {day} at {time}",
        "let's meet on {day} at {time}",
        "maybe {day} at {time}",
    ),
    "give_day": (
        "(how about|let's say|what about|let's do) {day}",
        "{day} (works|would work|is good|is fine|would be great|is best)",
        "on {day}",
        "(I'm|I am) free on {day}",
        "(can we|could we) (do|say|meet on) {day}",
        "{day} (please|I think|)",
        "(I can do|I could do) {day}",
    ),
    "give_time": (
        "(how about|let's say|what about|at|around) {time}",
        "{time} (works|would work|is good|is fine|would be great|is best)",
        "at {time} (please|)",
        "(can we|could we) (do|say) {time}",
        "let's do {time}",
        "{time} (please|I think|)",
        "I'm free at {time}",
    ),
    "change_day": (
        "(actually|sorry|no) (can we|could we) (move|change) (it|that) to {day}",
        "(actually|no wait|sorry) {day} (is|would be) better",
        "(can we|could we) make (it|that) {day} instead",
        "{day} would be better (actually|)",
        "I meant {day}",
        "no (sorry|wait|) I meant {day}",
        "(let's|can we) do {day} instead",
        "change (it|that) to {day} (please|)",
        "(that doesn't work|I can't do that) (how about|what about) {day}",
    ),
    "give_name": (
        "(my|the) name is {name}",
        "(I'm|I am) {name}",
        "this is {name}",
        "it's {name} (here|)",
        "you're (speaking|talking) (to|with) {name}",
        "{name} (speaking|here)",
        "(you can|just) call me {name}",
        "(it's|the name's) {name}",
    ),
    "introduce": (
        "(this is|I'm|it's) {name} (from|at|with) {company}",
        "my name is {name} (and I'm|I'm) (from|with|at) {company}",
        "{name} (from|at) {company}",
        "(I'm|this is) {name} I (work for|work at|run|own) {company}",
    ),
    "give_company": (
        "(I work|I'm) (for|at|with) {company}",
        "(we are|we're|we're called) {company}",
        "(the|my|our) company is (called|) {company}",
        "I (own|run) {company}",
        "the (business|company) is {company}",
        "it's called {company}",
        "(I'm|I am) (from|with) {company}",
    ),
    "give_size": (
        "(we are|we're|there are) {number} people",
        "we have {number} (people|employees)",
        "{number} (people|employees|of us)",
        "there are {number} of us",
        "(about|around|maybe) {number} (people|employees|)",
        "we're (about|around) {number}",
        "we employ {number} people",
        "a team of {number}",
        "we've got {number} (people|employees)",
    ),
    "yes": (
        "yes (please|)",
        "(yes|yeah) (sure|of course|that's fine|that's right|go ahead|exactly)",
        "sure (thing|why not|)",
        "(yep|yup|yeah)",
        "(that's|that is) (right|correct|fine|good|perfect)",
        "(sounds|that sounds) (good|great|fine|perfect)",
        "okay (yes|good|fine|great|let's do that)",
        "of course",
        "(correct|exactly|absolutely|perfect|definitely)",
        "I (do|am|would|think so)",
        "why not",
    ),
    "no": (
        "no (not really|not yet|not today|)",
        "no (thanks|thank you)",
        "nope",
        "(not|no not) (really|at the moment|right now)",
        "I don't think so",
        "(I'd|I would) rather not",
        "no that's (wrong|not right|it|all)",
        "I'm afraid not",
        "definitely not",
    ),
    "hold_on": (
        "(hold|hang) on (a second|a minute|please|)",
        "(wait|just) (a second|a minute|a moment)",
        "one (moment|second|minute) (please|)",
        "give me a (second|minute|moment)",
        "(can you|please) (wait|hold) (a second|a moment|please|)",
        "(hold|hang) on someone's at the door",
        "let me (check|get a pen|close the door|look at my calendar)",
    ),
    "repeat": (
        "(can you|could you) (repeat|say) that (again|please|)",
        "(sorry|pardon) (what|what was that|what did you say|me)",
        "say (that|it) again (please|)",
        "I didn't (catch|hear|get|understand) (that|you|what you said)",
        "what did you (just|) say",
        "come again",
        "one more time (please|)",
        "the line is (bad|breaking up) (say that again|what did you say)",
        "excuse me",
    ),
    "thanks": (
        "thank you (very much|so much|)",
        "thanks (a lot|very much|)",
        "(great|perfect|good) (thanks|thank you)",
        "(thanks|thank you) for (the information|your help|that|explaining|calling)",
        "I appreciate (it|that)",
        "that's (very|) (helpful|kind|nice) (thank you|thanks|)",
        "much appreciated",
    ),
    "weather": (
        "(how's|how is) the weather (there|over there|today|)",
        "(nice|lovely|terrible|awful|cold|hot) weather (today|isn't it|)",
        "is it raining (there|where you are|)",
        "it's (cold|hot|raining|sunny|snowing) (here|outside|today)",
        "what's the weather like (there|)",
    ),
    "how_are_you": (
        "how are you (today|doing|)",
        "(how's|how is) (it going|your day|everything)",
        "(I'm|we're) (fine|good|well|doing well) (thanks|) how are you",
        "how do you do",
        "what's up",
        "(I'm|not too) (good|bad) and you",
    ),
    "off_topic": (
        "(who won|did you see) the game (last night|yesterday|)",
        "(can you|could you) (order|get) me a (pizza|taxi|coffee)",
        "tell me a joke",
        "what's the (capital|president) of (france|spain|canada)",
        "(do you|can you) (like|sing|play) (music|a song|football)",
        "what's (two plus two|your favorite color|the meaning of life)",
        "do you have (a cat|a dog|children)",
        "I (lost|found|fed) my (keys|dog|cat|phone)",
        "my (car|computer|washing machine) is broken",
        "what did you have for (lunch|breakfast|dinner)",
    ),
    "rude": (
        "(you're|you are) (wasting my time|annoying|useless)",
        "what a (waste of time|stupid call)",
        "(shut up|get lost|go away)",
        "this is (ridiculous|stupid|annoying)",
        "I (hate|can't stand) (these calls|sales calls|robots)",
        "what the hell",
    ),
    "goodbye": (
        "(goodbye|bye bye|bye)",
        "(okay|thanks|thank you) (bye|goodbye)",
        "(have a|you have a) (good|nice|great) (day|weekend|evening|one)",
        "see you (then|later|)",
        "(I have to|I've got to|I need to) (go|run|go now|hang up) (bye|)",
        "talk to you (soon|later|then)",
        "(that's all|that was all|that's it) (thank you|thanks|) (goodbye|bye)",
        "take care (bye|)",
        "I'm (going to hang up|hanging up) (now|bye)",
        "bye for now",
    ),
}
"""The wordings of each intent."""

INTENTS: tuple[str, ...] = tuple(TEMPLATES)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing a caller says: its text, what it means, and the values that it carries, keyed by slot."""

    text: str
    intent: str
    slots: dict[str, str]


def is_held_out(text: str) -> bool:
    """Tell whether a text belongs to the held-out split; the same on every machine and in every run."""
    return zlib.crc32(text.lower().encode()) % HELD_OUT_ONE_IN == 0


def fill(template: str, rng: random.Random, words: Mapping[str, Draw]) -> tuple[str, dict[str, str]]:
    """Expand a template: choose among its alternatives and draw its slots.

    Returns:
        the text and the slot values in it.
    """
    chosen = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), template)
    slots = {slot: words[slot](rng) for slot in _SLOT.findall(chosen)}
    text = " ".join(_SLOT.sub(lambda match: slots[match[1]], chosen).split())
    return text.replace("on tomorrow", "tomorrow").replace("on next ", "next "), slots


def caller_sentence(
    rng: random.Random,
    *,
    split: str = "train",
    intent: str | None = None,
    words: Mapping[str, Draw] = REAL_WORDS,
) -> Sentence:
    """Draw what a caller says, with a filler in front of it one time in three.

    Args:
        rng: the source of every choice.
        split: ``train`` or ``heldout``; no sentence is ever in both.
        intent: one of ``INTENTS``; drawn when None.
        words: how to draw each slot.

    Raises:
        ValueError: the split is neither of the two.
    """
    if split not in ("train", "heldout"):
        raise ValueError(f"split must be 'train' or 'heldout', not {split!r}")
    intent = intent or rng.choice(INTENTS)
    while True:
        text, slots = fill(rng.choice(TEMPLATES[intent]), rng, words)
        if rng.random() < 1 / 3:
            text = f"{rng.choice(FILLERS)} {text}"
        if is_held_out(text) == (split == "heldout"):
            return Sentence(text, intent, slots)
