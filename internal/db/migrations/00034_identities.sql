-- +goose Up
-- Who somebody on the staff is to an organization's own sign-in (OpenID Connect).
CREATE TABLE staff_identities (
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	staff_id TEXT NOT NULL REFERENCES staff (staff_id),
	created_at BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject),
	-- one of each issuer: an address that is given to somebody else there opens nothing here
	UNIQUE (staff_id, issuer)
);
