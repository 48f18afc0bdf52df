-- +goose Up
-- Imports whose files were uploaded. See internal/importer/upload.go. Their statuses are uploading, waiting, running, done, failed, cancelled.

-- Why an import failed, as a sentence.
ALTER TABLE imports ADD COLUMN error TEXT NOT NULL DEFAULT '';

-- Hot tables; bucket is that of the import.

-- The mapping and the files, in pieces, until the import is over.
CREATE TABLE import_parts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	import_id TEXT NOT NULL,
	-- mapping, file, or the name of a further file
	part TEXT NOT NULL,
	n INTEGER NOT NULL,
	-- base 64
	data TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, import_id, part, n)
);

-- The refused rows as CSV, in pieces.
CREATE TABLE import_refused (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	import_id TEXT NOT NULL,
	-- where the piece begins, in bytes
	at BIGINT NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, import_id, at)
);
