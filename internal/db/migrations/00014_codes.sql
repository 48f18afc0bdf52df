-- +goose Up
-- Codes: secrets that stand for something, and what hangs on them. See internal/code and docs/codes.md. No table holds a code that was
-- given out in clear.

-- What the codes of a program are hashed with, and what waits in a pool is sealed with. A reference table.
CREATE TABLE code_keys (
	program_id TEXT NOT NULL PRIMARY KEY,
	key TEXT NOT NULL,
	created_at BIGINT NOT NULL
);

-- Hot tables.

-- bucket is that of the hash
CREATE TABLE codes (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	-- keyed hash of the code as it is written without spaces, hyphens and lower case
	hash TEXT NOT NULL,
	-- the name it may be called by; it ends in the bucket
	id TEXT NOT NULL,
	-- voucher, gift_card, claim, share, invitation
	kind TEXT NOT NULL,
	-- the account in whose books it is told what it is worth: a member, a gift card; '' is nobody's yet
	holder TEXT NOT NULL DEFAULT '',
	-- what it stands for in these books: a redemption, a benefit, a purchase that waits
	subject TEXT NOT NULL DEFAULT '',
	-- the last characters, for a person to know it by
	tail TEXT NOT NULL DEFAULT '',
	-- keyed hash of the PIN that must come with it; '' for none
	pin TEXT NOT NULL DEFAULT '',
	-- wrong PINs since the last right one
	tries INTEGER NOT NULL DEFAULT 0,
	locked_until BIGINT,
	-- open; spent, void and replaced are for good
	status TEXT NOT NULL,
	-- the batch it was made in, '' for none
	batch TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	-- from when on it opens nothing any more; NULL for never
	ends_at BIGINT,
	PRIMARY KEY (bucket, program_id, hash),
	UNIQUE (bucket, program_id, id)
);
CREATE INDEX codes_list ON codes (program_id, kind, id);
CREATE INDEX codes_holder ON codes (program_id, holder, id) WHERE holder <> '';

-- How often somebody named a code that is none, by minute; bucket is that of who. who is an API key or the keyed hash of an address.
CREATE TABLE code_guesses (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	who TEXT NOT NULL,
	-- minutes since 1970
	minute BIGINT NOT NULL,
	n BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, who, minute)
);
CREATE INDEX code_guesses_old ON code_guesses (minute);

-- Codes of others, loaded to be given out one by one; bucket is that of the pool.
CREATE TABLE code_pools (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	pool TEXT NOT NULL,
	hash TEXT NOT NULL,
	-- the code, encrypted with the program's key; '' once it was given out
	sealed TEXT NOT NULL,
	tail TEXT NOT NULL DEFAULT '',
	batch TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	-- from when on it may not be given out; NULL for never
	ends_at BIGINT,
	-- the fact that it was given out by
	taken_by TEXT NOT NULL DEFAULT '',
	taken_at BIGINT,
	PRIMARY KEY (bucket, program_id, pool, hash)
);
CREATE INDEX code_pools_free ON code_pools (bucket, program_id, pool, hash) WHERE taken_at IS NULL;

-- What is known of a gift card besides its books: who it is for, the greeting, how it looks. bucket is that of the card's account.
CREATE TABLE gift_cards (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	card_id TEXT NOT NULL,
	batch TEXT NOT NULL DEFAULT '',
	sample INTEGER NOT NULL DEFAULT 0,
	data TEXT NOT NULL DEFAULT '{}',
	created_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, card_id)
);
CREATE INDEX gift_cards_list ON gift_cards (program_id, card_id);

-- Codes that are bought from a provider for a redemption; bucket is that of the redemption.
CREATE TABLE code_orders (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	redemption TEXT NOT NULL,
	provider TEXT NOT NULL,
	-- waiting, delivered, failed
	status TEXT NOT NULL,
	-- what is asked for, as JSON
	request TEXT NOT NULL,
	-- what came, encrypted with the program's key, until it was fetched
	sealed TEXT NOT NULL DEFAULT '',
	tail TEXT NOT NULL DEFAULT '',
	-- the provider's own number, and what it said when it refused
	reference TEXT NOT NULL DEFAULT '',
	error TEXT NOT NULL DEFAULT '',
	tries INTEGER NOT NULL DEFAULT 0,
	next_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, redemption)
);
CREATE INDEX code_orders_next ON code_orders (next_at, bucket) WHERE next_at IS NOT NULL;

-- Purchases that no member has yet: of a receipt with a code, or of a card token that nobody has linked. bucket is that of the natural key.
CREATE TABLE waiting_purchases (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	source TEXT NOT NULL,
	external_id TEXT NOT NULL,
	-- ends in the bucket
	id TEXT NOT NULL,
	-- the identifier it came with, kind and value; '' for a receipt with a code
	kind TEXT NOT NULL DEFAULT '',
	value TEXT NOT NULL DEFAULT '',
	-- the purchase
	body TEXT NOT NULL,
	hash TEXT NOT NULL,
	-- open, claimed, cancelled; one that was not claimed in time stays open
	status TEXT NOT NULL,
	member_id TEXT NOT NULL DEFAULT '',
	fact_id TEXT NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	-- until when it can be claimed; NULL for ever
	ends_at BIGINT,
	PRIMARY KEY (bucket, program_id, source, external_id),
	UNIQUE (bucket, program_id, id)
);
CREATE INDEX waiting_purchases_open ON waiting_purchases (program_id, kind, value) WHERE status = 'open';
