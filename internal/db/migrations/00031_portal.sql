-- +goose Up
-- How members get into their pages. See internal/signin and docs/portal.md. No table holds a code, a token or an address in clear.

-- Hot tables.

-- Where members are signed in; bucket is that of the hash.
CREATE TABLE member_sessions (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	-- of the token, which the browser alone has
	hash TEXT NOT NULL,
	session_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	-- code, pass
	means TEXT NOT NULL,
	agent TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, hash)
);
CREATE INDEX member_sessions_of ON member_sessions (program_id, member_id);
CREATE INDEX member_sessions_old ON member_sessions (expires_at);

-- Codes that were sent to somebody to show that an address is theirs; bucket is that of the target.
CREATE TABLE member_codes (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	-- keyed hash of the kind and the address
	target TEXT NOT NULL,
	code_id TEXT NOT NULL,
	-- keyed hash of the code with its target
	hash TEXT NOT NULL,
	tries INTEGER NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	-- when it was used, or another took its place
	ended_at BIGINT,
	PRIMARY KEY (bucket, program_id, target, code_id)
);
CREATE INDEX member_codes_old ON member_codes (created_at);

-- What lets somebody go on once: who has shown an address and is about to join, and who enters a demo; bucket is that of the hash.
CREATE TABLE member_passes (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	-- join, demo
	kind TEXT NOT NULL,
	-- the target of a code, or a member
	about TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT,
	PRIMARY KEY (bucket, program_id, hash)
);
CREATE INDEX member_passes_old ON member_passes (expires_at);

CREATE INDEX members_merged ON members (program_id, merged_into) WHERE merged_into <> '';
