"""A carrier that calls nobody: a server of its own that behaves by a script and keeps exact books.

It is the judge in tests, benchmarks and chaos runs, so it shares no state with the dialer and imports nothing of it.
`script` says how calls behave, `calls` lets them live, `journal` writes down what happened, `courier` tells the dialer,
`server` is the HTTP in front, `verdict` the arithmetic on the journal.
"""

from adapters.simulated.carrier.journal import Entry, Journal
from adapters.simulated.carrier.script import Script
from adapters.simulated.carrier.server import Carrier, serve

__all__ = ["Carrier", "Entry", "Journal", "Script", "serve"]
