"""The conformance suite for an adapter that is installed: where its harness is, and what each law says of it.

A distribution announces beside its adapter, in the entry point group `dialer.adapter_harnesses`, a harness of the same name: the
object is a function without arguments whose async context manager gives a `Harness`; it is opened anew for each case. What its
carrier cannot do is missing in `acts`, and `exemptions` of the harness says why: an act that is missing without a reason is a
fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, TypeAlias

from adapters import registry
from adapters.conformance import Act, Broken, Case, Harness

GROUP = "dialer.adapter_harnesses"
BUILT_IN: Mapping[str, str] = {"simulated": "adapters.simulated.carrier.harness:harness"}
"""Kind → its harness. Those of the other built-in kinds need fakes of their carriers, which are not installed."""
CASE_SECONDS = 30.0
"""What one case may take."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[Harness]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one case; `detail`: what the adapter did, or why it is exempt."""

    case: str
    law: str
    verdict: Literal["pass", "broken", "exempt"]
    detail: str = ""


def announced() -> Mapping[str, EntryPoint]:
    """Kind → its harness, of each that is there."""
    built_in = {kind: EntryPoint(kind, where, GROUP) for kind, where in BUILT_IN.items()}
    others = {point.name: point for point in entry_points(group=GROUP) if point.name not in registry.BUILT_IN}
    return {**built_in, **others}


def harness_of(kind: str) -> Open:
    """The harness of an adapter that is there and loads. Raises `ValueError` with the remedy."""
    registry.spec(kind)
    point = announced().get(kind)
    if point is None and kind in registry.BUILT_IN:
        raise ValueError(
            f"the harness of the built-in adapter {kind!r} is not installed: the fake of its carrier is part of the source tree"
            f" only; run `pytest tests/integration/adapters/test_conformance.py -k {kind}` there. `dialer doctor` and"
            " `dialer adapter test` try it on the carrier itself"
        )
    if point is None:
        raise ValueError(
            f"no harness is announced for the adapter {kind!r}; its package has to declare one in the entry point group"
            f' {GROUP!r}, such as {kind} = "its_package.harness:harness" (see adapters/README.md)'
        )
    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the harness {point.value} cannot be loaded ({error}); mend the package's entry point") from error
    if not callable(loaded):
        raise ValueError(f"the harness {point.value} is no function; mend the package's entry point")
    found: Open = loaded
    return found


async def check(opened: Open, cases: Sequence[Case]) -> AsyncIterator[Finding]:
    """Each case, in order. What the adapter or its harness raises is a broken law, too."""
    for case in cases:
        yield await _find(opened, case)


async def _find(opened: Open, case: Case) -> Finding:
    try:
        async with asyncio.timeout(CASE_SECONDS), opened() as harness:
            return await _judge(case, harness)
    except Broken as fault:
        return Finding(case.name, case.law, "broken", str(fault))
    except TimeoutError as fault:
        return Finding(case.name, case.law, "broken", str(fault) or "what was waited for never came")
    except Exception as fault:
        return Finding(case.name, case.law, "broken", f"{type(fault).__name__}: {fault}")


async def _judge(case: Case, harness: Harness) -> Finding:
    if not case.exempt(harness):
        await case.run(harness)
        return Finding(case.name, case.law, "pass")
    reasons: Mapping[Act, str] = getattr(harness, "exemptions", {})
    missing = sorted(case.needs - harness.acts)
    if unsaid := [act for act in missing if not reasons.get(act, "").strip()]:
        raise Broken(f"the harness leaves out {', '.join(unsaid)} and does not say why; add the reason to its exemptions")
    return Finding(case.name, case.law, "exempt", "; ".join(reasons[act] for act in missing))
