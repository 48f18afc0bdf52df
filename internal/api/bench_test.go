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
