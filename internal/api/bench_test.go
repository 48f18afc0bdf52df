package api

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// BenchmarkPurchase records purchases of many members at once, from the bytes of the request to the bytes of the answer.
func BenchmarkPurchase(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, db.SQLite), Limits{})
	h.srv.Logger = slog.New(slog.DiscardHandler)
	const members = 500
	for i := range members {
		h.enrol(fmt.Sprint(i))
	}
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			body := fmt.Sprintf(`{"member": "ext:%d", "source": "till", "external_id": "%d", "lines": [{"id": "1", "category": "coffee", "quantity": 2, "amount": "98.00"}, {"id": "2", "category": "tea", "amount": "42.00"}]}`, i%members, i)
			req := httptest.NewRequest(http.MethodPost, "/v1/purchases", strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+h.secret)
			w := httptest.NewRecorder()
			h.srv.ServeHTTP(w, req)
			if w.Code != http.StatusCreated {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
}

// BenchmarkRefusal is the door alone: a request that is read, authenticated and refused before anything is looked up.
func BenchmarkRefusal(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, db.SQLite), Limits{})
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest(http.MethodPost, "/v1/activities", strings.NewReader(`{"kind": "own_cup"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+h.secret)
		w := httptest.NewRecorder()
		h.srv.ServeHTTP(w, req)
		_, _ = io.Copy(io.Discard, w.Body)
	}
}

// BenchmarkLook reads balances of members who have twelve lots each, and tries what a purchase would bring them.
func BenchmarkLook(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, db.SQLite), Limits{})
	h.srv.Logger = slog.New(slog.DiscardHandler)
	ask := func(method, path, body string, want int) {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+h.secret)
		w := httptest.NewRecorder()
		h.srv.ServeHTTP(w, req)
		if w.Code != want {
			b.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	const members, lots = 50, 12
	const lines = `"lines": [{"id": "1", "category": "coffee", "quantity": 2, "amount": "98.00"}, {"id": "2", "category": "tea", "amount": "42.00"}]}`
	for i := range members {
		h.enrol(fmt.Sprint(i))
		for n := range lots {
			ask(http.MethodPost, "/v1/purchases", fmt.Sprintf(`{"member": "ext:%d", "source": "till", "external_id": "%d-%d", %s`, i, i, n, lines), http.StatusCreated)
		}
	}
	b.Run("balances", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ask(http.MethodGet, fmt.Sprintf("/v1/members/ext:%d/balances", i%members), "", http.StatusOK)
		}
	})
	b.Run("simulate", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ask(http.MethodPost, "/v1/simulations", fmt.Sprintf(`{"facts": [{"purchase": {"member": "ext:%d", %s}]}`, i%members, lines), http.StatusOK)
		}
	})
}
