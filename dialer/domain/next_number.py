"""Which of a contact's two numbers is called next, where a campaign uses both (`useSecondaryPhone`). Pure.

- The first number is called first, or the second where there is no first one or it may not be called now.
- After a call that counts (no answer, busy, declined, voicemail, error), the next attempt is at the other number: whoever does
  not pick up here may be there. A failure that is not the callee's tells nothing of the number, and the same one is tried again.
- A number that nobody has, as the carrier says, is not called again in this campaign, and the other one is called at once.
- Attempts and delays are the contact's, whichever number was called: two numbers are no reason to call a person more often.
- A suppression is of a number: the other one may still be called. "Do not call" is of the contact, and stops both.
- A number whose place is not known is not called: without a first and a second set of zones there are no hours to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dialer.domain.preflight import for_ever


@dataclass(frozen=True, slots=True)
class Number:
    """One of the numbers. `suppressed_until` None: it is on no list; `dead`: nobody has it, or it is the contact's no more."""

    number: str
    suppressed_until: datetime | None = None
    dead: bool = False

    @property
    def callable(self) -> bool:
        """Whether it may ever be called."""
        return not self.dead and not (self.suppressed_until is not None and for_ever(self.suppressed_until))


@dataclass(frozen=True, slots=True)
class Next:
    """Call `number`, not before `at`."""

    number: str
    at: datetime


def next_number(called: Number, other: Number | None, at: datetime, *, alternate: bool) -> Next | None:
    """Whom the next call goes to, wanted at `at`; None: nobody. `called` is the number of the attempt before, `other` the
    contact's other one, if the campaign uses it. Of two, the one that may be called first; of equals the other one if they
    `alternate`."""
    order = (other, called) if alternate else (called, other)
    found = [Next(each.number, max(at, each.suppressed_until or at)) for each in order if each is not None and each.callable]
    return min(found, key=lambda each: each.at, default=None)
