-- +goose Up
-- The feed is the facts themselves, in the order of their commits: an event stood in a row of its own, with all that its fact
-- says already. stamp is that of the transaction, n the place in it: that of the fact's first event, so that a reader who
-- was in the middle of a transaction goes on where it was. events is what the fact told: [["points.earned",{…}]]; '' in facts
-- of before, whose events stand in the decision. A fact of before that told nothing has stamp 0.

ALTER TABLE facts ADD COLUMN stamp BIGINT NOT NULL DEFAULT 0;
ALTER TABLE facts ADD COLUMN n BIGINT NOT NULL DEFAULT 0;
ALTER TABLE facts ADD COLUMN events TEXT NOT NULL DEFAULT '';

CREATE TABLE moves (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, fact_id)
);
INSERT INTO moves (bucket, program_id, fact_id, stamp, n)
SELECT bucket, program_id, fact_id, MIN(stamp), MIN(n) FROM events GROUP BY bucket, program_id, fact_id;
UPDATE facts SET stamp = m.stamp, n = m.n
FROM moves m
WHERE m.bucket = facts.bucket AND m.program_id = facts.program_id AND m.fact_id = facts.id;
DROP TABLE moves;
DROP TABLE events;

CREATE INDEX facts_feed ON facts (program_id, stamp, n);
