-- +goose Up
-- The people who run programs, what each may do in which, and how they sign in. All are small tables that are read with every page.

CREATE TABLE staff (
	staff_id TEXT NOT NULL PRIMARY KEY,
	-- in lower case
	email TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	-- nb, sv, da, en, or empty for what the browser asks for
	lang TEXT NOT NULL DEFAULT '',
	-- a PHC string of argon2id, empty while there is none
	password TEXT NOT NULL DEFAULT '',
	-- the shared secret of the second step in base 32, empty while there is none, and the last step whose code was taken
	totp TEXT NOT NULL DEFAULT '',
	totp_step BIGINT NOT NULL DEFAULT 0,
	-- wrong passwords and codes since the last right one, and when the last was
	failed INTEGER NOT NULL DEFAULT 0,
	failed_at BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	seen_at BIGINT,
	ended_at BIGINT
);

CREATE TABLE staff_roles (
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	staff_id TEXT NOT NULL REFERENCES staff (staff_id),
	role TEXT NOT NULL,
	PRIMARY KEY (program_id, staff_id)
);

CREATE INDEX staff_roles_of ON staff_roles (staff_id);

CREATE TABLE staff_sessions (
	-- of the token, which the browser alone has
	hash TEXT NOT NULL PRIMARY KEY,
	session_id TEXT NOT NULL UNIQUE,
	staff_id TEXT NOT NULL REFERENCES staff (staff_id),
	-- the program whose pages are shown
	program_id TEXT NOT NULL DEFAULT '',
	-- password, totp, passkey, oidc, link
	means TEXT NOT NULL,
	agent TEXT NOT NULL DEFAULT '',
	address TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);

CREATE INDEX staff_sessions_of ON staff_sessions (staff_id);

-- What is sent or shown once and lets somebody in: an invitation, the set-up of an empty installation, the pages of the demo, a recovery code.
CREATE TABLE staff_passes (
	hash TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	-- empty for the set-up
	staff_id TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT
);

CREATE INDEX staff_passes_of ON staff_passes (staff_id);

CREATE TABLE staff_passkeys (
	-- in base64url, as the browser says it
	credential_id TEXT NOT NULL PRIMARY KEY,
	staff_id TEXT NOT NULL REFERENCES staff (staff_id),
	name TEXT NOT NULL,
	-- the credential as the library keeps it, in JSON
	credential TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	used_at BIGINT
);

CREATE INDEX staff_passkeys_of ON staff_passkeys (staff_id);
