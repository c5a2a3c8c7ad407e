"""`dialer demo`: a list of contacts dialled to its end on this machine, by the real processes and a simulated carrier."""

from dialer.cli.demo.command import install

__all__ = ["install"]
