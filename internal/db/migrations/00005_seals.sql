-- +goose Up

-- How far the accounts of a program are planned by the version in force: when a version begins that changes tiers or expiry by
-- inactivity, the sweep walks over all accounts once, in the order of their keys. A reference table: it is
-- written while such a walk is under way, a few times a year.
CREATE TABLE replans (
	program_id TEXT NOT NULL PRIMARY KEY REFERENCES programs (program_id),
	-- the version that was in force when the last walk ended
	version BIGINT NOT NULL,
	-- the version that the walk under way is for, 0 when there is none, and the last account it has done
	target BIGINT NOT NULL DEFAULT 0,
	bucket INTEGER NOT NULL DEFAULT 0,
	member_id TEXT NOT NULL DEFAULT ''
);
