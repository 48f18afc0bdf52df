-- +goose Up
-- Households and organizations have a profile and identifiers as members have: a row for each of those that are there.

INSERT INTO members (bucket, program_id, member_id, created_at, updated_at)
SELECT f.bucket, f.program_id, f.member_id, f.recorded_at, f.recorded_at
FROM facts f
WHERE f.seq = 1 AND (f.member_id LIKE 'hou\_%' ESCAPE '\' OR f.member_id LIKE 'org\_%' ESCAPE '\')
	AND NOT EXISTS (SELECT 1 FROM members m WHERE m.bucket = f.bucket AND m.program_id = f.program_id AND m.member_id = f.member_id);
