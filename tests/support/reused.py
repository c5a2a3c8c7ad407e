"""One ledger for one test after the other: emptied in between, and thrown away when a test changed more than rows, or many.

To copy a database, to connect to it and to read its catalogue for the first time takes longer than most tests. What tells that
more was changed is an event trigger, which the template brings along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from dialer.store.database import Database

NOTES = """
create schema notes;
create table notes.changes ();
create function notes.change() returns event_trigger language plpgsql security definer as $$
begin
  insert into notes.changes default values;
end $$;
create function notes.empty() returns boolean language plpgsql set session_replication_role = replica as $$
declare
  each regclass;
begin
  if exists (select from pg_class
             where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 1000000) then
    return false;  -- what is deleted still has to be passed by
  end if;
  for each in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
      and relname not in ('alembic_version', 'legal_turns', 'place_sets') loop  -- nobody's data
    execute format('delete from %s', each);  -- to truncate one means all that refer to it, and takes twenty times as long
  end loop;
  perform setval(oid::regclass, 1, false) from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'S' and relname not like 'place_sets%';
  return true;
end $$;
create event trigger noted on ddl_command_end execute function notes.change();
"""
"""For the template, after its migration."""

LOCKED_SECONDS = 2
"""Longest wait for what a test may have left locked."""


class Reused:
    """`make` and `drop` a database by its URL; everything on one event loop."""

    def __init__(self, make: Callable[[], Awaitable[str]], drop: Callable[[str], Awaitable[None]]) -> None:
        self._make = make
        self._drop = drop
        self._url: str | None = None
        self._own: asyncpg.Connection[asyncpg.Record] | None = None
        self._opened: Database | None = None

    async def url(self) -> str:
        """Of an empty, migrated database."""
        if self._url is None:
            self._url = await self._make()
            self._own = await asyncpg.connect(self._url, server_settings={"lock_timeout": f"{LOCKED_SECONDS}s"})
        return self._url

    async def database(self) -> Database:
        """Opened once for all who ask."""
        if self._opened is None:
            self._opened = await Database.open(await self.url())
        return self._opened

    async def clear(self) -> None:
        """After a test."""
        if self._own is None:
            return
        try:
            if self._opened is not None:
                await self._opened.pool.fetchval("select 1")
            changed = await self._own.fetchval("select exists (select from notes.changes)")
            if not changed and await self._own.fetchval("select notes.empty()"):
                return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            pass  # something is still locked, or the test has cut or closed all connections
        await self.close()

    async def close(self) -> None:
        if self._opened is not None:
            with suppress(TimeoutError):  # for a connection that somebody has kept; it goes with the database
                async with asyncio.timeout(LOCKED_SECONDS):
                    await self._opened.close()
        if self._own is not None:
            await self._own.close()
        if self._url is not None:
            await self._drop(self._url)
        self._url = self._own = self._opened = None
