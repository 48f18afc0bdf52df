-- +goose Up
-- How far what follows from a program's events, for other members, is recorded; see internal/errand. bucket is that of the program.
CREATE TABLE errand_places (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id)
);
