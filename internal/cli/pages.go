package cli

import (
	"context"
	"net/http"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/console"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/portal"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/staff"
)

// asStaff lets the pages of somebody ask the API in their right.
func asStaff(ctx context.Context, id, program, name string, scopes []string) context.Context {
	return api.As(ctx, api.Asker{ID: id, Program: program, Name: name, Scopes: scopes})
}

// asMember lets the pages of a member, or of who is about to become one, ask the API in their right.
func asMember(ctx context.Context, program, member string) context.Context {
	return api.As(ctx, api.Asker{Program: program, Member: member})
}

// doors puts the pages beside the API. It is no mux: the API's own answers what is at none of these addresses.
func (s *server) doors() http.Handler {
	logEvery := s.t.LogRequests
	s.console = console.New(console.Config{
		DB: s.db, Versions: s.versions, API: s.door.Inside(), As: asStaff, Clock: s.e.now, Logger: s.log, URL: strings.TrimRight(s.c.URL, "/"),
		Metrics: s.registry, Tracer: s.tracer, Proxies: s.proxies, LogEvery: logEvery, Slow: s.t.SlowAfter, Provider: s.provider, Demo: s.demo,
	})
	s.portal = portal.New(portal.Config{
		DB: s.db, Versions: s.versions, API: s.door.Inside(), As: asMember, Proven: api.Proven, Sender: s.sender, Clock: s.e.now, Logger: s.log, URL: strings.TrimRight(s.c.URL, "/"),
		Metrics: s.registry, Tracer: s.tracer, Proxies: s.proxies, LogEvery: logEvery, Slow: s.t.SlowAfter, Demo: s.demo,
	})
	assets := page.Assets()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/console" || strings.HasPrefix(path, "/console/"):
			s.console.ServeHTTP(w, r)
		case path == "/portal" || strings.HasPrefix(path, "/portal/"):
			s.portal.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/assets/"):
			assets.ServeHTTP(w, r)
		case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			http.Redirect(w, r, "/console", http.StatusFound)
		default:
			s.door.ServeHTTP(w, r)
		}
	})
}

// setUpCode makes a code that opens the set-up page while nobody is on the staff; empty when somebody is.
func setUpCode(e *env, d *db.DB) (code string, err error) {
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		somebody, err := staff.Any(e.ctx, tx)
		if err != nil || somebody {
			return err
		}
		code, err = staff.NewPass(e.ctx, tx, staff.SetUp, "", staff.SetUpFor, e.now())
		return err
	})
	return code, err
}

// demoMember is the code by which the pages of a demo's member are entered.
func demoMember(e *env, d *db.DB, program, memberID string) (code string, err error) {
	err = d.Write(e.ctx, func(tx *db.Tx) (err error) {
		code, err = signin.NewDemo(e.ctx, tx, program, memberID, e.now())
		return err
	})
	return code, err
}

// demoStaff are the people who run a demo, one of each role, and the code by which its owner enters the pages without a password.
func demoStaff(e *env, d *db.DB, program string) (code string, err error) {
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		list, err := staff.List(e.ctx, tx, program)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			for _, p := range []struct {
				name, email string
				role        staff.Role
			}{
				{"Ingrid Berg", "ingrid@example.no", staff.Owner}, {"Maja Lindqvist", "maja@example.se", staff.Marketer}, {"Søren Holm", "soren@example.dk", staff.Analyst},
				{"Jonas Aas", "jonas@example.no", staff.Store}, {"Ellen Vik", "ellen@example.no", staff.Auditor},
			} {
				who, err := staff.Add(e.ctx, tx, staff.Input{Program: program, Email: p.email, Name: p.name, Role: p.role, Actor: "demo", Now: e.now()})
				if err != nil {
					return err
				}
				list = append(list, who)
			}
		}
		code, err = staff.NewPass(e.ctx, tx, staff.Demo, list[0].ID, staff.SetUpFor, e.now())
		return err
	})
	return code, err
}
