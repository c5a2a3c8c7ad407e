"""What a provider's answers mean, by the operator's rules. Pure. What no rule names proves nothing: the call may be placed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, Unavailable
from adapters.events import Fault
from adapters.http import Answer, retry_after
from adapters.webhook.paths import Path, word

PROVE_NOTHING = frozenset({404, 405, 408, 409, *range(200, 300), *range(500, 600)})
"""What gateways, wrong addresses and accepted calls have, too: they prove something only with a word of the provider's."""

Means = Callable[[str, str, float | None], PlaceError]
"""From detail, the provider's word and the seconds to wait to what is known."""

MEANINGS: Mapping[str, Means] = {
    "number": lambda detail, said, wait: Rejected(detail, fault=Fault.NUMBER, cause=said, retry_after=wait),
    "perhaps_number": lambda detail, said, wait: Rejected(detail, fault=Fault.CALLEE, cause=said, retry_after=wait),
    "request": lambda detail, said, wait: Rejected(detail, fault=Fault.REQUEST, cause=said, retry_after=wait),
    "config": lambda detail, said, wait: Rejected(detail, fault=Fault.CONFIG, cause=said, retry_after=wait),
    "rate_limited": lambda detail, said, wait: RateLimited(detail, retry_after=wait),
    "not_placed": lambda detail, said, wait: Unavailable(detail, retry_after=wait),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """An answer to be recognized: one of the statuses and, where `words` are named, one of them at `path`."""

    statuses: frozenset[int]
    path: Path | None = None
    words: frozenset[str] = frozenset()

    def seen(self, answer: Answer) -> str | None:
        """The word that was recognized, the status where none is asked for; None if this is another answer."""
        if answer.status not in self.statuses:
            return None
        if self.path is None:
            return f"http_{answer.status}"
        try:
            said = word(self.path, answer.json())
        except ValueError:
            return None
        return said if said in self.words else None


def among(signs: Sequence[Sign], answer: Answer) -> bool:
    return any(sign.seen(answer) is not None for sign in signs)


@dataclass(frozen=True, slots=True)
class Refusal:
    sign: Sign
    means: Means


def refusal(rules: Sequence[Refusal], answer: Answer) -> PlaceError | None:
    """What the first rule that fits says; None where none does."""
    for rule in rules:
        said = rule.sign.seen(answer)
        if said is not None:
            return rule.means(f"the provider refused the call with HTTP {answer.status}", said, retry_after(answer.headers))
    return None


def unclear(answer: Answer) -> Ambiguous:
    return Ambiguous(f"the provider answered HTTP {answer.status}", retry_after=retry_after(answer.headers))
