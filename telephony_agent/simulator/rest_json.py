"""The resources of Twilio's REST API as JSON: calls, numbers, recordings, and pages of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urlencode

from telephony_agent.simulator.call_record import CallRecord
from telephony_agent.simulator.exchange import Number
from telephony_agent.simulator.rest_order import Fields
from telephony_agent.simulator.rest_recordings import Recording

API_VERSION: Final = "2010-04-01"
_PAGE_SIZE: Final = 50
_MOST: Final = 1000
_SUBRESOURCES: Final = (
    *("events", "notifications", "payments", "recordings", "siprec", "streams", "transcriptions"),
    *("user_defined_messages", "user_defined_message_subscriptions"),
)


def call_json(record: CallRecord) -> dict[str, Any]:
    """Give a Call resource; ``duration`` is ``None`` until the call has ended, and prices are never known."""
    parties = record.parties
    uri = f"/{API_VERSION}/Accounts/{parties.account_sid}/Calls/{record.sid}"
    return {
        "account_sid": parties.account_sid,
        "annotation": None,
        "answered_by": record.answered_by or None,
        "api_version": API_VERSION,
        "caller_name": None,
        "date_created": _date(record.created),
        "date_updated": _date(record.updated),
        "direction": parties.direction,
        "duration": str(round(record.talked_s())) if record.is_over else None,
        "end_time": _date(record.ended),
        "forwarded_from": None,
        "from": parties.caller,
        "from_formatted": _formatted(parties.caller),
        "group_sid": None,
        "parent_call_sid": parties.parent_sid or None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": str(record.queue_ms),
        "sid": record.sid,
        "start_time": _date(record.started),
        "status": record.status.value,
        "subresource_uris": {name: f"{uri}/{_camel(name)}.json" for name in _SUBRESOURCES},
        "to": parties.called,
        "to_formatted": _formatted(parties.called),
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


def number_json(number: Number, account_sid: str) -> dict[str, Any]:
    """Give an IncomingPhoneNumber resource, as far as voice is concerned."""
    return {
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        "friendly_name": number.friendly_name or _formatted(number.phone_number),
        "phone_number": number.phone_number,
        "sid": number.sid,
        "status": "in-use",
        "status_callback": number.status_callback,
        "status_callback_method": number.status_callback_method,
        "trunk_sid": number.trunk_sid or None,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}/IncomingPhoneNumbers/{number.sid}.json",
        "voice_application_sid": number.voice_application_sid,
        "voice_fallback_method": number.voice_fallback_method,
        "voice_fallback_url": number.voice_fallback_url,
        "voice_method": number.voice_method,
        "voice_url": number.voice_url,
    }


def recording_json(recording: Recording, account_sid: str) -> dict[str, Any]:
    """Give a Recording resource."""
    uri = f"/{API_VERSION}/Accounts/{account_sid}/Recordings/{recording.sid}"
    return {
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "call_sid": recording.call_sid,
        "channels": recording.channels,
        "conference_sid": None,
        "date_created": _date(recording.created),
        "date_updated": _date(recording.created),
        "duration": str(recording.duration_s),
        "encryption_details": None,
        "error_code": None,
        "media_url": f"https://api.twilio.com{uri}",
        "price": None,
        "price_unit": "USD",
        "sid": recording.sid,
        "source": "OutboundAPI",
        "start_time": _date(recording.created),
        "status": "completed",
        "uri": f"{uri}.json",
    }


def page_json(key: str, items: Sequence[dict[str, Any]], path: str, query: Fields) -> dict[str, Any]:
    """Give one page of a list: ``PageSize`` items (50 by default, 1000 at most) of the page ``Page``.

    Raises:
        RestError: a size or a number that can't be.
    """
    size = query.whole("PageSize", _PAGE_SIZE, 1, _MOST)
    page = query.whole("Page", 0, 0, 10**6)
    start = page * size
    shown = items[start : start + size]

    def uri(number: int) -> str:
        chosen: Mapping[str, object] = {**query.plain(), "PageSize": size, "Page": number}
        return f"{path}?{urlencode(chosen)}"

    return {
        "end": start + max(len(shown) - 1, 0),
        "first_page_uri": uri(0),
        key: shown,
        "next_page_uri": uri(page + 1) if start + size < len(items) else None,
        "page": page,
        "page_size": size,
        "previous_page_uri": uri(page - 1) if page else None,
        "start": start,
        "uri": uri(page),
    }


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)


def _formatted(number: str) -> str:
    """Write a number of North America as people there do."""
    if len(number) == 12 and number.startswith("+1"):
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
