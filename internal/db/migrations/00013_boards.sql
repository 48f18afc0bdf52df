-- +goose Up
-- Leaderboards: the counters of members who asked to be shown, in order. Only these are in the index, so that nothing else pays for it.
-- substr, not LIKE: it means the same however the database sorts texts.
CREATE INDEX tallies_board ON tallies (program_id, name, period, value, member_id) WHERE substr(name, 1, 6) = 'board:';
