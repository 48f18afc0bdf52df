package api

import (
	"context"
)

func (s *Server) health(_ context.Context, _ *struct{}) (*Health, error) {
	return &Health{Status: "ok", Database: string(s.DB.Dialect()), Version: s.Build.Version}, nil
}

func (s *Server) ready(ctx context.Context, _ *struct{}) (*Readiness, error) {
	r, err := s.Health.Ready(ctx)
	if err != nil {
		return nil, err
	}
	out := &Readiness{Status: "ready", Writing: string(r.Writing), Schema: "current", Database: string(s.DB.Dialect()), Version: s.Build.Version}
	if r.NewerSchema {
		out.Schema = "newer"
	}
	return out, nil
}
