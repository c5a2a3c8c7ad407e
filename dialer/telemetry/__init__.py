"""What the processes tell about themselves: log lines, masked, and (in `metrics`) figures for Prometheus.

`metrics` is not imported here, so that a command which only logs does not pay for the Prometheus client.
"""

from dialer.telemetry.log import configure
from dialer.telemetry.masking import mask, scrub

__all__ = ["configure", "mask", "scrub"]
