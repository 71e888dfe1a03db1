"""What Twilio's error codes mean for the user of this agent: a sentence each that says what to do.

Sources: Twilio's error dictionary (docs/api/errors/CODE). A code that isn't listed is told in Twilio's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from telephony_agent.errors import CarrierRejected

NOT_IN_PROGRESS = 21220
"""A call that is over can't be changed."""

ADVICE: Mapping[int, str] = MappingProxyType(
    {
        # The account.
        10001: "the account is suspended or closed: check its balance and status in Twilio's console",
        10004: "the account has as many calls at once as it may: wait, or raise its limit with a business profile",
        20003: "Twilio did not accept the credentials: check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN against the "
        "console's front page, and that the account is active",
        20005: "the account is not active: check its balance, or finish signing up, in Twilio's console",
        20403: "the account may not use the API; it was suspended or closed: ask Twilio's support",
        20404: "Twilio has no such call, number or recording in this account: check the SID and TWILIO_ACCOUNT_SID",
        20429: "too many requests at once: wait, and send fewer",
        # Placing a call.
        21200: "Twilio did not accept the request for a call: both numbers in E.164 form and absolute URLs are needed",
        21201: "there is no number to call",
        21202: "the number is a premium or a special one, which Twilio does not call",
        21203: "international calls are not enabled: allow the country in the console under Voice, Geo permissions",
        21205: "the voice URL is not usable: check AGENT_PUBLIC_URL, which must be an absolute https:// address",
        21208: "the ring timeout is not one that Twilio allows",
        21210: "the number to call from is not this account's: set TWILIO_PHONE_NUMBER to a number that "
        "`telephony-agent number list` shows, or verify it as a caller ID in the console",
        21211: "the number to call is not a valid one: write it in E.164 form, such as +15005550006",
        21212: "the number to call from is not a valid one: check TWILIO_PHONE_NUMBER",
        21213: "there is no number to call from: set TWILIO_PHONE_NUMBER",
        21214: "the number to call can't be reached from Twilio",
        21215: "the account may not call this country: allow it in the console under Voice, Geo permissions",
        21216: "Twilio blocks calls to this number, for fraud or by regulation; for +1 numbers the account needs a "
        "customer profile (console, Trust Hub)",
        21217: "the number to call does not look like a valid one: check it",
        21218: "there is no such TwiML application",
        21219: "a trial account calls only verified numbers: verify this one in the console, or upgrade the account",
        21234: "the settings of machine detection are not ones that Twilio allows",
        14111: "a trial account calls only verified numbers: verify this one in the console, or upgrade the account",
        573002: "a trial account calls a verified number only from the number that was assigned to it: see the console",
        573005: "the number's verification is not finished: enter its code in the console",
        # A call that runs.
        NOT_IN_PROGRESS: "the call is over, so it can't be changed any more",
        13224: "the number to transfer to is invalid or can't be reached: check AGENT_TRANSFER_NUMBER",
        13227: "the account may not call the country to transfer to: allow it in the console under Voice, Geo "
        "permissions",
        # Numbers.
        21401: "this is not a valid phone number",
        21402: "a URL for the number is not valid: check AGENT_PUBLIC_URL",
        21403: "the method for a number's URL must be GET or POST",
        21404: "a trial account can't receive calls on this number",
        21405: "a number can have a fallback URL only together with a voice URL",
        21421: "the phone number is not a valid one: write it in E.164 form",
    }
)

_SECRET_WORDS = re.compile(r"\b(AC|SK|PK)[0-9a-zA-Z]{8,}\b")
_NUMBER = re.compile(r"(?:\+|%2B|(?<![0-9A-Za-z]))\d(?:[ ().-]{0,2}\d){6,14}(?![0-9A-Za-z])")
_LONGEST = 300


def rejection(http_status: int, carrier_code: int, message: str) -> CarrierRejected:
    """Say in one line what Twilio refused and what to do.

    Args:
        http_status: of the answer.
        carrier_code: Twilio's; the HTTP status where it gave none.
        message: Twilio's own; told, scrubbed, where the code is unknown.
    """
    text = ADVICE.get(carrier_code) or scrubbed(message) or f"the answer was HTTP {http_status}"
    return CarrierRejected(f"Twilio error {carrier_code}: {text}", carrier_code=carrier_code, http_status=http_status)


def scrubbed(message: str) -> str:
    """Return a carrier's message as one short line without account SIDs and whole telephone numbers."""
    line = _SECRET_WORDS.sub(r"\1…", " ".join(message.split())[:_LONGEST])
    return _NUMBER.sub(lambda match: f"…{match[0][-4:]}", line)
