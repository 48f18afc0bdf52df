-- +goose Up
-- Partners: a key of their own, what they pay, and the postings with their accounts found without looking through all.

ALTER TABLE keys ADD COLUMN partner TEXT NOT NULL DEFAULT '';

-- What was paid by a partner, or, below zero, to it; bucket is that of "partner:ID". The reference is the payer's: the same again counts once.
CREATE TABLE partner_payments (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	partner TEXT NOT NULL,
	reference TEXT NOT NULL,
	-- millionths of the program's currency
	amount BIGINT NOT NULL,
	paid_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	actor TEXT NOT NULL DEFAULT '',
	note TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (bucket, program_id, partner, reference)
);

CREATE INDEX postings_from_partner ON postings (program_id, from_account, recorded_at) WHERE from_account >= 'partner:' AND from_account < 'partner;';
CREATE INDEX postings_to_partner ON postings (program_id, to_account, recorded_at) WHERE to_account >= 'partner:' AND to_account < 'partner;';
