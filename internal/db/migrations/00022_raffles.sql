-- +goose Up
-- Draws among all who have tickets, one for each reward and time of its draw; bucket is that of the reward. See docs/rewards.md.
CREATE TABLE raffles (
	bucket INTEGER NOT NULL,
	program_id TEXT NOT NULL,
	reward TEXT NOT NULL,
	draws_at BIGINT NOT NULL,
	prize TEXT NOT NULL,
	winners BIGINT NOT NULL,
	-- SHA-256 of the seed, told from the beginning
	commitment TEXT NOT NULL,
	-- the seed, encrypted with the program's key; and in clear once it was drawn
	sealed TEXT NOT NULL,
	seed TEXT NOT NULL DEFAULT '',
	-- open, drawing (the winners get their prizes), drawn
	status TEXT NOT NULL,
	-- the redemptions that took part, "red_… 2" a line for two tickets, in order
	tickets TEXT NOT NULL DEFAULT '',
	-- who won, as JSON
	outcome TEXT NOT NULL DEFAULT '[]',
	-- what stands in the way of a prize
	error TEXT NOT NULL DEFAULT '',
	committed_at BIGINT NOT NULL,
	drawn_at BIGINT,
	-- counts the changes of a draw under way, so that of two nodes one writes
	revision BIGINT NOT NULL DEFAULT 1,
	PRIMARY KEY (bucket, program_id, reward, draws_at)
);
CREATE INDEX raffles_open ON raffles (draws_at) WHERE status <> 'drawn';
