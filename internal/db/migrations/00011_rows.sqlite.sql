-- +goose Up
-- How rows lie on SQLite. Members come in any order, so each index that is ordered by members costs a purchase a page of its own to
-- read, to write and to copy, and the more members there are, the less often two purchases share one. Rows of small tables
-- therefore lie in their key itself, where a member's rows stand together and there is no second page; and what is found by a
-- number that grows with time is ordered by that number first, so that new rows come to the end. A file is never
-- spread over machines: its keys hold bucket but need not begin with it.

CREATE TABLE new_tallies (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	name TEXT NOT NULL,
	period TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, name, period)
) WITHOUT ROWID;
INSERT INTO new_tallies (bucket, program_id, member_id, name, period, value)
SELECT bucket, program_id, member_id, name, period, value FROM tallies ORDER BY bucket, program_id, member_id, name, period;
DROP TABLE tallies;
ALTER TABLE new_tallies RENAME TO tallies;

CREATE TABLE new_identifiers (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	member_id TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, kind, value)
) WITHOUT ROWID;
INSERT INTO new_identifiers (bucket, program_id, kind, value, member_id, created_at)
SELECT bucket, program_id, kind, value, member_id, created_at FROM identifiers ORDER BY bucket, program_id, kind, value;
DROP TABLE identifiers;
ALTER TABLE new_identifiers RENAME TO identifiers;
CREATE INDEX identifiers_member ON identifiers (program_id, member_id);

CREATE TABLE new_postings (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	n INTEGER NOT NULL,
	unit TEXT NOT NULL,
	lot BIGINT NOT NULL,
	from_account TEXT NOT NULL,
	to_account TEXT NOT NULL,
	amount BIGINT NOT NULL CHECK (amount > 0),
	rule TEXT NOT NULL DEFAULT '',
	of_fact TEXT NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, seq, n)
) WITHOUT ROWID;
INSERT INTO new_postings (bucket, program_id, member_id, seq, n, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at)
SELECT bucket, program_id, member_id, seq, n, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at
FROM postings ORDER BY bucket, program_id, member_id, seq, n;
DROP TABLE postings;
ALTER TABLE new_postings RENAME TO postings;

CREATE TABLE new_lots (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	lot BIGINT NOT NULL,
	unit TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	earned_at BIGINT NOT NULL,
	expires_at BIGINT,
	release_at BIGINT,
	confirm TEXT NOT NULL DEFAULT '',
	warn_at BIGINT,
	amount BIGINT NOT NULL CHECK (amount >= 0),
	spendable BIGINT NOT NULL CHECK (spendable >= 0),
	pending BIGINT NOT NULL CHECK (pending >= 0),
	reserved BIGINT NOT NULL CHECK (reserved >= 0),
	gone BIGINT NOT NULL DEFAULT 0 CHECK (gone >= 0),
	remaining BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, lot)
) WITHOUT ROWID;
INSERT INTO new_lots (bucket, program_id, member_id, lot, unit, fact_id, earned_at, expires_at, release_at, confirm, warn_at, amount, spendable, pending,
	reserved, gone, remaining)
SELECT bucket, program_id, member_id, lot, unit, fact_id, earned_at, expires_at, release_at, confirm, warn_at, amount, spendable, pending,
	reserved, gone, remaining
FROM lots ORDER BY bucket, program_id, member_id, lot;
DROP TABLE lots;
ALTER TABLE new_lots RENAME TO lots;
CREATE INDEX lots_open ON lots (bucket, program_id, member_id, lot) WHERE remaining > 0;

CREATE TABLE new_receipts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	source TEXT NOT NULL,
	external_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	PRIMARY KEY (program_id, source, external_id, bucket)
) WITHOUT ROWID;
INSERT INTO new_receipts (bucket, program_id, source, external_id, member_id, fact_id, hash)
SELECT bucket, program_id, source, external_id, member_id, fact_id, hash FROM receipts ORDER BY program_id, source, external_id;
DROP TABLE receipts;
ALTER TABLE new_receipts RENAME TO receipts;

CREATE TABLE new_facts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	source TEXT NOT NULL DEFAULT '',
	external_id TEXT NOT NULL DEFAULT '',
	parent TEXT NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	version BIGINT NOT NULL,
	actor TEXT NOT NULL DEFAULT '',
	body TEXT NOT NULL,
	decision TEXT NOT NULL,
	seen TEXT NOT NULL DEFAULT '',
	stamp BIGINT NOT NULL DEFAULT 0,
	n BIGINT NOT NULL DEFAULT 0,
	events TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (bucket, program_id, member_id, seq),
	UNIQUE (program_id, id, bucket)
);
INSERT INTO new_facts (bucket, program_id, member_id, seq, id, kind, source, external_id, parent, occurred_at, recorded_at, version, actor, body, decision,
	seen, stamp, n, events)
SELECT bucket, program_id, member_id, seq, id, kind, source, external_id, parent, occurred_at, recorded_at, version, actor, body, decision,
	seen, stamp, n, events
FROM facts ORDER BY rowid;
DROP TABLE facts;
ALTER TABLE new_facts RENAME TO facts;
CREATE INDEX facts_parent ON facts (bucket, program_id, member_id, parent) WHERE parent <> '';
CREATE INDEX facts_feed ON facts (program_id, stamp, n);
