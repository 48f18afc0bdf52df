-- +goose Up
-- How rows lie on PostgreSQL. Accounts, lots and counters are written again and again: with room left in their pages a new version of a
-- row stands beside the old one and no index needs to know. What is there already moves apart by and by.

ALTER TABLE accounts SET (fillfactor = 70);
ALTER TABLE lots SET (fillfactor = 80);
ALTER TABLE tallies SET (fillfactor = 80);
