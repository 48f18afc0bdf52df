-- +goose Up
-- Totals of each day, folded from the facts; see internal/insight. All can be thrown away and is made anew. bucket is that of the program.

-- All facts with a stamp below are in the totals; their days are those of the zone.
CREATE TABLE insight_places (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	below BIGINT NOT NULL,
	zone TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id)
);

CREATE TABLE insight_days (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	-- 2026-11-22
	day TEXT NOT NULL,
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, day, name)
);

-- Which members bought something on a day.
CREATE TABLE insight_buyers (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	day TEXT NOT NULL,
	member_id TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, day, member_id)
);
