-- +goose Up
-- Endpoints that are told of events, and what was sent to them. See internal/webhook.

-- Reference tables.

CREATE TABLE webhooks (
	program_id TEXT NOT NULL REFERENCES programs (program_id),
	webhook_id TEXT NOT NULL,
	url TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	-- types of events separated by spaces, '' is all
	types TEXT NOT NULL DEFAULT '',
	-- thin, full
	payload TEXT NOT NULL,
	-- standard, cloudevents
	format TEXT NOT NULL,
	concurrency INTEGER NOT NULL,
	-- 0 is no bound
	per_second INTEGER NOT NULL,
	-- active, disabled, removed
	status TEXT NOT NULL,
	-- why it is disabled
	reason TEXT NOT NULL DEFAULT '',
	disabled_at BIGINT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	revision BIGINT NOT NULL DEFAULT 1,
	PRIMARY KEY (program_id, webhook_id)
);

-- What messages are signed with. It must be readable to sign, and so it is no part of an export.
CREATE TABLE webhook_secrets (
	program_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	secret_id TEXT NOT NULL,
	secret TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	-- NULL for the one in force; an older one still signs until then
	until BIGINT,
	PRIMARY KEY (program_id, webhook_id, secret_id)
);

-- Hot tables; bucket is that of the webhook.

-- How far each endpoint has come in the feed.
CREATE TABLE webhook_places (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	-- the last event of which a delivery was made, or that the endpoint does not want
	stamp BIGINT NOT NULL,
	n INTEGER NOT NULL,
	-- a part of the feed that is sent again: after the first place up to the second, what was recorded since; NULL when none is
	replay_stamp BIGINT,
	replay_n INTEGER,
	replay_until_stamp BIGINT,
	replay_until_n INTEGER,
	replay_since BIGINT,
	-- since when no delivery has succeeded; NULL when the last one did
	failing_since BIGINT,
	last_success_at BIGINT,
	PRIMARY KEY (bucket, program_id, webhook_id)
);

-- One row for each event and endpoint.
CREATE TABLE deliveries (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	event_id TEXT NOT NULL,
	type TEXT NOT NULL,
	-- as it is sent, the same each time
	body TEXT NOT NULL,
	-- pending, delivered, dead
	status TEXT NOT NULL,
	-- the next attempt; NULL when none is to come
	due_at BIGINT,
	-- attempts since it was made, or was replayed last
	attempts INTEGER NOT NULL DEFAULT 0,
	-- the last attempts, JSON
	log TEXT NOT NULL DEFAULT '[]',
	made_at BIGINT NOT NULL,
	done_at BIGINT,
	PRIMARY KEY (bucket, program_id, webhook_id, event_id)
);
CREATE INDEX deliveries_due ON deliveries (bucket, program_id, webhook_id, due_at, event_id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (bucket, program_id, webhook_id, event_id) WHERE status = 'dead';
CREATE INDEX deliveries_done ON deliveries (done_at) WHERE done_at IS NOT NULL;
