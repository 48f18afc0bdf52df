-- +goose Up
-- The text that is being worked on, one for each program: mistakes and comments and all.

CREATE TABLE drafts (
	program_id TEXT NOT NULL PRIMARY KEY REFERENCES programs (program_id),
	source TEXT NOT NULL,
	-- goes up with each change, so that two who write at once see each other
	revision BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	updated_by TEXT NOT NULL
);
