-- +goose Up

-- stamp has one row. On SQLite, n is the stamp of the last transaction; on PostgreSQL, what is added to a
-- transaction's number to make its stamp (see internal/db/stamp.go). It is a reference table: written on SQLite, whose one
-- writer has no one to wait for it, and at a restore.
CREATE TABLE stamp (
    id integer PRIMARY KEY CHECK (id = 1),
    n  bigint NOT NULL
);

INSERT INTO stamp (id, n) VALUES (1, 0);
