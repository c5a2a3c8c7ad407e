"""WHAT HAPPENED: the ledger, the flows that write it, and the processes that run them."""

__version__ = "0.1.0"
