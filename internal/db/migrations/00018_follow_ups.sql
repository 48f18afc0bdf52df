-- +goose Up
-- What should follow from an event for another member and does not yet: it failed and is tried again (waits), or it was refused, and is
-- listed for a while (refused); see internal/errand. bucket is that of the program; key is what follows, of once.
CREATE TABLE follow_ups (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	key TEXT NOT NULL,
	-- the event it follows, and its place in the feed
	event TEXT NOT NULL,
	stamp BIGINT NOT NULL,
	n BIGINT NOT NULL,
	-- whom it is about
	member_id TEXT NOT NULL,
	status TEXT NOT NULL,
	reason TEXT NOT NULL,
	message TEXT NOT NULL,
	tries INTEGER NOT NULL,
	-- when it is tried again
	next_at BIGINT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, key)
);

-- What nobody claimed in time, in the order of the ends.
CREATE INDEX waiting_purchases_end ON waiting_purchases (ends_at) WHERE status = 'open' AND ends_at IS NOT NULL;
