-- +goose Up
-- What a database that is spread over machines needs besides; docs/distribution.md tells how it works. On one machine these tables
-- stay empty.

-- One row, once the database is spread. A reference table.
CREATE TABLE distribution (
	id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	distributed_at BIGINT NOT NULL,
	-- above every stamp that was given before: later events are numbered by bucket and put in line from here on
	stamp BIGINT NOT NULL
);

-- Ids of facts that were claimed for a key and will never come; bucket is that of the fact.
CREATE TABLE void_facts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, fact_id)
);
CREATE INDEX void_facts_old ON void_facts (at);

-- The last stamp of a program's events in a bucket. Whoever adds events holds the row until the transaction ends.
CREATE TABLE event_counts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id)
);

-- The order of a program's events over all buckets: the stamps first … last of of_bucket have the places from stamp on. bucket is that
-- of the program.
CREATE TABLE event_line (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	of_bucket INTEGER NOT NULL,
	first BIGINT NOT NULL,
	last BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, stamp)
);

-- How far a bucket's events stand in the line; of_bucket -1 has the line's own end.
CREATE TABLE event_places (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	of_bucket INTEGER NOT NULL,
	stamp BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, of_bucket)
);
