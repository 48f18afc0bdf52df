-- +goose Up
-- Recognition: what members thanked each other with, the newest first, found without looking through all facts.

CREATE INDEX facts_recognition ON facts (program_id, recorded_at, id) WHERE kind = 'recognition' AND parent = '';
