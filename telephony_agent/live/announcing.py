"""Speaks a playbook's fixed words ahead of the calls that need them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from telephony_agent.core.call_terms import Announcement, Announcements
from telephony_agent.engines.base import Synthesizer
from telephony_agent.errors import SynthesisError
from telephony_agent.live.engine_room import EngineRoom, speak
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.words import with_notice

Render = Callable[[str], Announcement]


def render_announcements(desk: SalesDesk, synthesizer: Synthesizer, *, dials: bool = False) -> Announcements:
    """Speak the fixed words of a desk's playbook. Blocks; for a synthesizer that nobody else uses at the time.

    ``dials``: whether people are called; then there are words for a call screening, and for a mailbox.

    Raises:
        SynthesisError: the engine failed, or an announcement holds nothing that can be heard.
    """
    return _announcements(desk, lambda text: _announcement(text, speak(synthesizer, text)), dials=dials)


async def render_beside_calls(desk: SalesDesk, room: EngineRoom, *, dials: bool) -> Announcements:
    """Speak them phrase by phrase in the lane that live calls speak in, so that those have their turn in between.

    Raises:
        SynthesisError: the engine failed, or an announcement holds nothing that can be heard.
        DeadlineMissedError: the engine has too much to do, or hangs.
    """
    synthesizer, deadline_s = room.engines.synthesizer, room.deadlines.synthesize_s
    texts: list[str] = []

    def note(text: str) -> Announcement:
        texts.append(text)
        return Announcement(text, b"")

    _announcements(desk, note, dials=dials)
    said: dict[str, Announcement] = {}
    for text in dict.fromkeys(texts):
        audio = await room.synthesizing.run(partial(speak, synthesizer, text), deadline_s=deadline_s)
        said[text] = _announcement(text, audio)
    return _announcements(desk, said.__getitem__, dials=dials)


def _announcement(text: str, audio: bytes) -> Announcement:
    if not audio:
        raise SynthesisError(f"the announcement {text!r} came out silent; change it in the playbook")
    return Announcement(text, audio)


def _announcements(desk: SalesDesk, render: Render, *, dials: bool) -> Announcements:
    playbook, untaken = desk.playbook, desk.untaken
    return Announcements(
        greeting=render(with_notice(playbook.greeting, desk.recording_notice)),
        not_understood=render(playbook.not_understood),
        apology=render(playbook.apology),
        reprompts=tuple(render(text) for text in playbook.reprompts),
        fillers=tuple(render(text) for text in playbook.fillers),
        silence_goodbye=render(playbook.silence_goodbye),
        time_up=render(playbook.goodbye),
        fault_goodbye=render(playbook.fault_goodbye),
        transfer=render(playbook.transfer) if untaken else None,
        untaken=render(untaken) if untaken else None,
        reconnected=render(playbook.reconnected),
        introduction=render(playbook.introduction) if dials else None,
        voicemail=render(playbook.voicemail) if dials and playbook.voicemail else None,
    )
