"""The slots of one call: what was heard, what is confirmed, and what the caller declined to say.

=============  ==============================  ===================================
state          a new value                     the read-back's answer
=============  ==============================  ===================================
``EMPTY``      -> ``HEARD``
``HEARD``      replaces (``HEARD``)            yes -> ``CONFIRMED``, no -> ``EMPTY``
``CONFIRMED``  replaces (``HEARD``)
``DECLINED``   -> ``HEARD``
=============  ==============================  ===================================

A slot that was denied keeps count of it (``failures``); the guide decides when to ask for keys and when to give up.
``Slots`` never changes: what follows from a turn is a new one, so that a turn can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from telephony_agent.sales.moments import Moment
from telephony_agent.sales.values import SlotName, Value, in_words

READ_BACK = frozenset({SlotName.EMAIL, SlotName.PHONE, SlotName.MEETING, SlotName.CALLBACK})
"""What is read back to the caller before it counts."""


class SlotState(StrEnum):
    """How far a slot has come."""

    EMPTY = "empty"
    HEARD = "heard"
    CONFIRMED = "confirmed"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: its state, its value (if heard or confirmed), and how often it was denied or not understood."""

    state: SlotState = SlotState.EMPTY
    value: Value | None = None
    failures: int = 0


_EMPTY = Slot()


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one call: those of ``SlotName``, and the playbook's own by their names."""

    filled: Mapping[str, Slot] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> Slot:
        return self.filled.get(name, _EMPTY)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        """Yield the names and values of the slots that have one."""
        return ((name, slot.value) for name, slot in self.filled.items() if slot.value is not None)

    def moment(self, name: str) -> Moment | None:
        """Return the time in a slot, or None."""
        value = self[name].value
        return value if isinstance(value, Moment) else None

    def read_back(self, name: str) -> str:
        """Return the slot's value as it is read out; nothing if it is empty."""
        value = self[name].value
        return "" if value is None else in_words(name, value)

    def hear(self, values: Mapping[str, Value]) -> Slots:
        """Take new values: they replace old ones; a time is merged with the day that is known."""
        return self._with({name: self._heard(name, value) for name, value in values.items()})

    def confirm(self, name: str) -> Slots:
        """Take the value as confirmed by the caller."""
        return self._with({name: replace(self[name], state=SlotState.CONFIRMED)})

    def fail(self, name: str) -> Slots:
        """Drop the value: the caller denied it, or it could not be understood."""
        return self._with({name: Slot(failures=self[name].failures + 1)})

    def count_failure(self, name: str) -> Slots:
        """Count a denial that came with a new value; the old one is needed until that is heard."""
        return self._with({name: replace(self[name], failures=self[name].failures + 1)})

    def decline(self, name: str) -> Slots:
        """Give the slot up: it isn't asked for again."""
        return self._with({name: Slot(SlotState.DECLINED, failures=self[name].failures)})

    def _heard(self, name: str, value: Value) -> Slot:
        slot = self[name]
        if isinstance(value, Moment) and isinstance(slot.value, Moment):
            value = slot.value.merged(value)
        return slot if value == slot.value else Slot(SlotState.HEARD, value, slot.failures)

    def _with(self, changed: Mapping[str, Slot]) -> Slots:
        return Slots(MappingProxyType({**self.filled, **changed})) if changed else self
