-- +goose Up
-- Work to be done later, again, or by another node; see internal/job. bucket is that of the kind, so that to look for what is due
-- asks one bucket, and is in the last bits of job_id.

CREATE TABLE jobs (
	bucket INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	-- of one kind only one unfinished job has it; '' is no such bound
	unique_key TEXT NOT NULL DEFAULT '',
	-- available, scheduled, running, retryable, completed, cancelled, discarded
	state TEXT NOT NULL,
	-- 1 is taken first, 4 last
	priority INTEGER NOT NULL,
	-- from when on it may be taken; NULL while it runs and when it is over
	due_at BIGINT,
	attempt INTEGER NOT NULL DEFAULT 0,
	-- 0 is no bound
	max_attempts INTEGER NOT NULL DEFAULT 0,
	args TEXT NOT NULL DEFAULT '{}',
	-- how often it was asked for: what is asked for while it runs makes it run once more
	asked BIGINT NOT NULL DEFAULT 1,
	cancel_asked INTEGER NOT NULL DEFAULT 0,
	-- who has it: the node and a mark of this one taking
	holder TEXT NOT NULL DEFAULT '',
	-- raised as long as the holder lives; one that stood still for the lease, in microseconds, is taken over
	beat BIGINT NOT NULL DEFAULT 0,
	lease BIGINT NOT NULL DEFAULT 0,
	-- the last failures, JSON
	errors TEXT NOT NULL DEFAULT '[]',
	created_at BIGINT NOT NULL,
	taken_at BIGINT,
	beat_at BIGINT,
	finished_at BIGINT,
	PRIMARY KEY (bucket, job_id)
);
CREATE UNIQUE INDEX jobs_unique ON jobs (bucket, kind, unique_key) WHERE unique_key <> '' AND finished_at IS NULL;
CREATE INDEX jobs_due ON jobs (bucket, kind, due_at, job_id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_running ON jobs (bucket, kind, job_id) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at, bucket, job_id) WHERE finished_at IS NOT NULL;

-- Kinds that are not taken for now. A reference table.
CREATE TABLE job_pauses (
	kind TEXT NOT NULL PRIMARY KEY,
	paused_at BIGINT NOT NULL,
	paused_by TEXT NOT NULL
);
