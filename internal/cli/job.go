package cli

import (
	"fmt"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/job"
)

type jobCmd struct {
	List   jobListCmd   `cmd:"" help:"List the jobs: what runs, what waits, what has failed."`
	Retry  jobRetryCmd  `cmd:"" help:"Make a job due now that waits, was discarded or cancelled, with all its attempts again."`
	Cancel jobCancelCmd `cmd:"" help:"Call a job off; one that runs is told."`
	Pause  jobPauseCmd  `cmd:"" help:"Keep all servers from taking jobs of a kind."`
	Resume jobResumeCmd `cmd:"" help:"End a pause."`
}

type jobListCmd struct {
	jsonFlag
	Kind  string `placeholder:"KIND" help:"Keep to jobs of a kind, such as sweep."`
	State string `enum:",available,scheduled,running,retryable,completed,cancelled,discarded" default:"" placeholder:"STATE" help:"Keep to jobs that are available, scheduled, running, retryable, completed, cancelled or discarded."`
	Limit int    `default:"50" placeholder:"N" help:"How many, the newest first; ${default} when left out."`
	database
}

func (jobListCmd) Help() string {
	return `A job is work that some server does: the sweep, the sending to one webhook, the deleting of what is old. A server holds it
as long as it lives, and another takes it over when it dies. What is discarded has failed as often as it may.

Examples:

    lojal job list
    lojal job list --state discarded`
}

func (c *jobListCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	var list []*job.Job
	var paused []string
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		if list, err = job.List(e.ctx, tx, job.Query{Kind: c.Kind, State: job.State(c.State), Limit: max(c.Limit, 1)}); err == nil {
			paused, err = job.Paused(e.ctx, tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(map[string]any{"jobs": list, "paused": append([]string{}, paused...)})
	}
	if len(list) == 0 {
		e.printf("There is no such job.\n")
	}
	for _, j := range list {
		e.printf("%s  %-16s %-10s %s\n", j.ID, j.Kind, j.State, doing(j))
		if n := len(j.Errors); n > 0 && j.State != job.Completed {
			e.printf("    %s: %s\n", j.Errors[n-1].At.Local().Format(momentForm), firstLine(j.Errors[n-1].Error))
		}
	}
	if len(paused) > 0 {
		e.printf("Paused: %s. `lojal job resume KIND` goes on.\n", strings.Join(paused, ", "))
	}
	return nil
}

// momentForm writes a time of the machine, with what it is ahead of UTC.
const momentForm = "2006-01-02 15:04:05 -07:00"

// doing says what a job does or waits for.
func doing(j *job.Job) string {
	at := func(t *time.Time) string { return t.Local().Format(momentForm) }
	node, _, _ := strings.Cut(j.Holder, "#")
	switch {
	case j.State == job.Running && j.BeatAt != nil && j.TakenAt != nil:
		return fmt.Sprintf("by %s since %s, last heard of %s", node, at(j.TakenAt), at(j.BeatAt))
	case j.DueAt != nil:
		return "due " + at(j.DueAt)
	case j.FinishedAt != nil:
		return at(j.FinishedAt)
	}
	return ""
}

// oneJob is what commands on one job have in common.
type oneJob struct {
	jsonFlag
	Job string `arg:"" help:"Id of the job, which lojal job list shows."`
	database
}

func (c *oneJob) run(e *env, sentence string, change func(tx *db.Tx) (*job.Job, error)) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	var j *job.Job
	err = d.Write(e.ctx, func(tx *db.Tx) (err error) {
		j, err = change(tx)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(j)
	}
	e.printf(sentence, j.State)
	return nil
}

type jobRetryCmd struct{ oneJob }

func (jobRetryCmd) Help() string {
	return `Examples:

    lojal job retry job_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *jobRetryCmd) Run(e *env) error {
	return c.run(e, "The job is %s.\n", func(tx *db.Tx) (*job.Job, error) { return job.Retry(e.ctx, tx, c.Job, e.now()) })
}

type jobCancelCmd struct{ oneJob }

func (jobCancelCmd) Help() string {
	return `A job that comes again by itself, such as the sweep, is made anew by the next server that looks for it.

Examples:

    lojal job cancel job_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *jobCancelCmd) Run(e *env) error {
	return c.run(e, "The job is %s, and is called off.\n", func(tx *db.Tx) (*job.Job, error) { return job.Cancel(e.ctx, tx, c.Job, e.now()) })
}

type jobPauseCmd struct {
	Kind string `arg:"" help:"Kind of jobs, such as sweep or webhook."`
	database
}

func (jobPauseCmd) Help() string {
	return `Jobs that run go on to their end; no server takes another one of the kind until lojal job resume.

Examples:

    lojal job pause sweep`
}

func (c *jobPauseCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	if err := d.Write(e.ctx, func(tx *db.Tx) error { return job.Pause(e.ctx, tx, c.Kind, actor, e.now()) }); err != nil {
		return err
	}
	e.printf("No server takes jobs of the kind %s any more.\n", c.Kind)
	return nil
}

type jobResumeCmd struct {
	Kind string `arg:"" help:"Kind of jobs."`
	database
}

func (jobResumeCmd) Help() string {
	return `Examples:

    lojal job resume sweep`
}

func (c *jobResumeCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	if err := d.Write(e.ctx, func(tx *db.Tx) error { return job.Resume(e.ctx, tx, c.Kind) }); err != nil {
		return err
	}
	e.printf("Jobs of the kind %s are done again.\n", c.Kind)
	return nil
}
