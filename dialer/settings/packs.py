"""The operator's own policy packs, from the folder that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialer.settings.faults import ConfigFaults, Fault
from dialer.settings.model import Settings

if TYPE_CHECKING:
    from scheduler.policies import Pack


def own_packs(settings: Settings) -> tuple[Pack, ...]:
    """Raises `ConfigFaults`, each naming file, field and remedy: with a pack that cannot be read nobody knows what it forbids."""
    if settings.policies.folder is None:
        return ()
    from scheduler.packs import read_folder

    packs, faults = read_folder(settings.policies.folder)
    if faults:
        raise ConfigFaults([Fault(each.file, each.field, each.problem, each.remedy) for each in faults])
    return packs
