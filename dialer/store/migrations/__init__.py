"""Alembic migrations. Only ever added to: the last release's code must run on the newest schema."""
