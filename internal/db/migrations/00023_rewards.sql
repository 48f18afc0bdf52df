-- +goose Up
-- Raffles and pools are found without looking through what is not asked for.

-- how many tickets took part and the SHA-256 of their list, so that a list of raffles need not read the tickets; '' before the draw, and of those
-- that were drawn before these columns were there
ALTER TABLE raffles ADD COLUMN ticket_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE raffles ADD COLUMN tickets_hash TEXT NOT NULL DEFAULT '';
-- when it last could not be drawn, 0 for never: those go last
ALTER TABLE raffles ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX raffles_list ON raffles (program_id, draws_at, reward);

-- The tickets that may take part in a draw. A query must say the condition in these words.
CREATE INDEX redemptions_tickets ON redemptions (program_id) WHERE status = 'committed' AND state LIKE '%"draws":%';

-- Who has a code: an order that was taken up again gets the one it took.
CREATE INDEX code_pools_taken ON code_pools (bucket, program_id, pool, taken_by) WHERE taken_by <> '';
