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

-- The chain over the books: each row covers the facts, with their postings, that came after those of the row before it, in the
-- order of commits. bucket is that of the program and the word "seals". Written every few minutes where something happens.
CREATE TABLE seals (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	-- 1, 2, 3 … within the program: two nodes that seal at once meet at the primary key
	number BIGINT NOT NULL,
	-- how the hash is made
	form INTEGER NOT NULL,
	hash TEXT NOT NULL,
	previous TEXT NOT NULL,
	-- the last place that is covered: stamp and n of a fact; with stamp 0, how many facts without a place are
	stamp BIGINT NOT NULL,
	n BIGINT NOT NULL,
	-- the last published version that is covered
	version BIGINT NOT NULL,
	facts BIGINT NOT NULL,
	postings BIGINT NOT NULL,
	sealed_at BIGINT NOT NULL,
	-- the first bytes of each fact's own hash, to say which one was changed
	prints TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, number)
);
