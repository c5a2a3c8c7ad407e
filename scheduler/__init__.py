"""WHEN a number may be called. Pure but for `ticker`: no database, no network, no clock of its own."""
