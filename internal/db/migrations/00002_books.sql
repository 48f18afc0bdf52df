-- +goose Up
-- The books. One text for SQLite and PostgreSQL.
--
-- bucket is ids.Bucket of what the row belongs to and begins every primary and unique key of a hot table, so that the
-- schema can be spread over machines. Times are microseconds since 1970 UTC, amounts minor units, documents JSON text.
-- Facts, postings and events are only ever added to.

-- Reference tables: small, read often, written seldom.

CREATE TABLE programs (
	program_id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	-- raised by every publication, so that a cache sees cheaply whether it is stale
	revision BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE versions (
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	version BIGINT NOT NULL,
	effective_from BIGINT NOT NULL,
	published_at BIGINT NOT NULL,
	published_by TEXT NOT NULL DEFAULT '',
	document TEXT NOT NULL,
	hash TEXT NOT NULL,
	-- the version whose document was brought back, 0 for none
	rollback_of BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (program_id, version)
);

CREATE TABLE keys (
	key_id TEXT NOT NULL PRIMARY KEY,
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	name TEXT NOT NULL,
	hash TEXT NOT NULL UNIQUE,
	-- the first characters of the secret, to know it by
	prefix TEXT NOT NULL,
	-- words separated by spaces
	scopes TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	revoked_at BIGINT,
	last_used_at BIGINT
);
CREATE INDEX keys_program ON keys (program_id, key_id);

CREATE TABLE audit (
	program_id TEXT NOT NULL,
	id TEXT NOT NULL,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL DEFAULT '',
	detail TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (program_id, id)
);

CREATE TABLE imports (
	program_id TEXT NOT NULL,
	import_id TEXT NOT NULL,
	-- members, purchases, activities
	kind TEXT NOT NULL,
	-- hash of the file and its mapping: the same again resumes
	hash TEXT NOT NULL,
	file TEXT NOT NULL DEFAULT '',
	-- running, done, failed
	status TEXT NOT NULL,
	-- rows that are wholly done, counted from the top of the file
	rows_done BIGINT NOT NULL DEFAULT 0,
	byte_offset BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	report TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (program_id, import_id)
);
CREATE INDEX imports_hash ON imports (program_id, hash);

-- Hot tables.

CREATE TABLE members (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	name TEXT NOT NULL DEFAULT '',
	email TEXT NOT NULL DEFAULT '',
	phone TEXT NOT NULL DEFAULT '',
	profile TEXT NOT NULL DEFAULT '{}',
	-- the survivor's id, once this member was merged
	merged_into TEXT NOT NULL DEFAULT '',
	-- name, e-mail, phone and external id, folded, for looking up by a part of them
	search TEXT NOT NULL DEFAULT '',
	-- folded name with birth date, e-mail without its variations, folded name with postcode: alike in two members, they
	-- are probably one; empty where a part is not known
	like_birth TEXT NOT NULL DEFAULT '',
	like_email TEXT NOT NULL DEFAULT '',
	like_postcode TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	revision BIGINT NOT NULL DEFAULT 1,
	PRIMARY KEY (bucket, program_id, member_id)
);
CREATE INDEX members_list ON members (program_id, member_id);
CREATE INDEX members_like_birth ON members (program_id, like_birth, member_id) WHERE like_birth <> '';
CREATE INDEX members_like_email ON members (program_id, like_email, member_id) WHERE like_email <> '';
CREATE INDEX members_like_postcode ON members (program_id, like_postcode, member_id) WHERE like_postcode <> '';

-- bucket is that of KIND:VALUE
CREATE TABLE identifiers (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	member_id TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, kind, value)
);
CREATE INDEX identifiers_member ON identifiers (program_id, member_id);

CREATE TABLE accounts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	member_id TEXT NOT NULL,
	seq BIGINT NOT NULL DEFAULT 0,
	-- raised by whoever locks the row
	revision BIGINT NOT NULL DEFAULT 0,
	-- the next moment at which anything changes by time alone
	due_at BIGINT,
	status TEXT NOT NULL DEFAULT '',
	state TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (bucket, program_id, member_id)
);
CREATE INDEX accounts_due ON accounts (due_at, bucket, program_id, member_id) WHERE due_at IS NOT NULL;

CREATE TABLE facts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	-- 1, 2, 3 … within the member: the order of deciding
	seq BIGINT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	source TEXT NOT NULL DEFAULT '',
	external_id TEXT NOT NULL DEFAULT '',
	parent TEXT NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	-- the program version it was decided by
	version BIGINT NOT NULL,
	actor TEXT NOT NULL DEFAULT '',
	-- the part of the fact that belongs to its kind
	body TEXT NOT NULL,
	decision TEXT NOT NULL,
	-- the program-wide counters that the decision saw, for replay
	seen TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (bucket, program_id, member_id, seq),
	UNIQUE (bucket, program_id, id)
);
CREATE INDEX facts_parent ON facts (bucket, program_id, member_id, parent) WHERE parent <> '';

CREATE TABLE postings (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	-- of the fact
	seq BIGINT NOT NULL,
	-- 1, 2, 3 … within the fact
	n INTEGER NOT NULL,
	unit TEXT NOT NULL,
	lot BIGINT NOT NULL,
	from_account TEXT NOT NULL,
	to_account TEXT NOT NULL,
	amount BIGINT NOT NULL CHECK (amount > 0),
	rule TEXT NOT NULL DEFAULT '',
	-- the fact that is taken back by it
	of_fact TEXT NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, seq, n)
);

CREATE TABLE lots (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	lot BIGINT NOT NULL,
	unit TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	earned_at BIGINT NOT NULL,
	expires_at BIGINT,
	release_at BIGINT,
	confirm TEXT NOT NULL DEFAULT '',
	warn_at BIGINT,
	amount BIGINT NOT NULL CHECK (amount >= 0),
	spendable BIGINT NOT NULL CHECK (spendable >= 0),
	pending BIGINT NOT NULL CHECK (pending >= 0),
	reserved BIGINT NOT NULL CHECK (reserved >= 0),
	-- what expired and no return has asked for yet
	gone BIGINT NOT NULL DEFAULT 0 CHECK (gone >= 0),
	-- spendable + pending + reserved: a closed lot has 0 and is out of the index
	remaining BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, lot)
);
CREATE INDEX lots_open ON lots (bucket, program_id, member_id, lot) WHERE remaining > 0;

-- Counters: of a member, or, with member_id '' and the bucket of the name, of the whole program.
CREATE TABLE tallies (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	name TEXT NOT NULL,
	period TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, name, period)
);

CREATE TABLE redemptions (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	status TEXT NOT NULL,
	reward TEXT NOT NULL,
	at BIGINT NOT NULL,
	-- the end of a reservation
	expires_at BIGINT,
	state TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, id)
);
CREATE INDEX redemptions_member ON redemptions (bucket, program_id, member_id, id);

-- One receipt, one fact, over the whole program; bucket is that of the natural key.
CREATE TABLE receipts (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	source TEXT NOT NULL,
	external_id TEXT NOT NULL,
	member_id TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	-- of what was asked for, to tell a retry from another receipt under the same number
	hash TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, source, external_id)
);

-- The first answer to each Idempotency-Key; bucket is that of client and key.
CREATE TABLE idempotency (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	client TEXT NOT NULL,
	key TEXT NOT NULL,
	hash TEXT NOT NULL,
	status INTEGER NOT NULL,
	answer TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, client, key)
);
CREATE INDEX idempotency_old ON idempotency (created_at);

-- The feed, in the order (stamp, n); n counts within the transaction that took the stamp.
CREATE TABLE events (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	n INTEGER NOT NULL,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	member_id TEXT NOT NULL,
	fact_id TEXT NOT NULL,
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	data TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (bucket, program_id, stamp, n)
);
CREATE INDEX events_feed ON events (program_id, stamp, n);
