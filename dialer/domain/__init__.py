"""The rules, pure: frozen values in, decisions out. No await, no clock, no database."""
