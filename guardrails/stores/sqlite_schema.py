"""The tables of a SQLite store.

A counter is a row with a running sum; what it consists of lies in `entry` by stamp and in `member` by name,
and what may still be given back in `held`. `due` is the first instant at which anything leaves a counter or
runs out, `ends` the one from which its row is of no use. Reservations are deleted when they are committed,
unless a request may ask for them again.
"""

VERSION = 3

SCHEMA = """
CREATE TABLE counter (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, high INTEGER NOT NULL, total INTEGER NOT NULL,
  reserved INTEGER NOT NULL, due INTEGER NOT NULL, members INTEGER NOT NULL, ends INTEGER
) STRICT;
CREATE INDEX counter_ends ON counter (ends) WHERE ends IS NOT NULL;
CREATE TABLE entry (
  counter INTEGER NOT NULL, stamp INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (counter, stamp)
) STRICT, WITHOUT ROWID;
CREATE TABLE member (
  counter INTEGER NOT NULL, name TEXT NOT NULL, stamp INTEGER NOT NULL, settled INTEGER,
  PRIMARY KEY (counter, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_stamp ON member (counter, stamp);
CREATE TABLE held (
  counter INTEGER NOT NULL, deadline INTEGER NOT NULL, reservation INTEGER NOT NULL, position INTEGER NOT NULL,
  stamp INTEGER NOT NULL, units INTEGER NOT NULL, stays INTEGER NOT NULL, member TEXT,
  PRIMARY KEY (counter, deadline, reservation, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_member ON held (counter, member, stamp) WHERE member IS NOT NULL;
CREATE TABLE reservation (
  id INTEGER PRIMARY KEY AUTOINCREMENT, deadline INTEGER NOT NULL, state INTEGER NOT NULL,
  stays INTEGER NOT NULL, fills TEXT NOT NULL, charges TEXT NOT NULL, gates TEXT, request TEXT
) STRICT;
CREATE INDEX reservation_deadline ON reservation (deadline);
CREATE TABLE request (
  request TEXT PRIMARY KEY, reservation INTEGER NOT NULL, asked TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE breaker (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, mark INTEGER NOT NULL, until INTEGER, probe TEXT,
  lost INTEGER NOT NULL, run INTEGER NOT NULL, outcomes INTEGER NOT NULL, failures INTEGER NOT NULL,
  kept INTEGER NOT NULL
) STRICT;
CREATE INDEX breaker_kept ON breaker (kept);
CREATE TABLE outcome (
  breaker INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, failures INTEGER NOT NULL,
  PRIMARY KEY (breaker, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_at ON outcome (breaker, at);
CREATE TABLE log (
  id INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, mark INTEGER NOT NULL, ends INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, size INTEGER NOT NULL
) STRICT;
CREATE INDEX log_ends ON log (ends);
CREATE TABLE note (
  log INTEGER NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, text TEXT NOT NULL,
  UNIQUE (log, number)
) STRICT;
CREATE TABLE halt (
  scope TEXT PRIMARY KEY, who TEXT NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER
) STRICT, WITHOUT ROWID;
"""

DOCUMENTS = """
CREATE TABLE document (
  key TEXT PRIMARY KEY, version INTEGER NOT NULL, ends INTEGER NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX document_ends ON document (ends);
"""

SCHEMA += DOCUMENTS

UPGRADES = {2: DOCUMENTS}
"""What a file of an older version lacks."""
