package web

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// Rate is a quota: Burst requests at once, filling up again evenly over Window. The zero value is no limit.
type Rate struct {
	Burst  int
	Window time.Duration
}

// Buckets holds one token bucket for each name, as the generic cell rate algorithm: one instant per name.
type Buckets struct {
	rate Rate
	mu   sync.Mutex
	// full is when the name's bucket is full again; a name whose instant has passed needs no entry.
	full map[string]time.Time
	next int // size at which full ones are dropped
}

// NewBuckets makes buckets of one rate.
func NewBuckets(rate Rate) *Buckets {
	return &Buckets{rate: rate, full: map[string]time.Time{}, next: 1024}
}

// Quota is where a name stands after asking.
type Quota struct {
	OK bool
	// Left is what can be taken at once, Reset the time until the bucket is full, Wait the time until one is free.
	Left        int
	Reset, Wait time.Duration
}

// Take takes n from the name's bucket, or nothing when there is too little. n of 0 only looks whether one could be taken.
func (b *Buckets) Take(name string, n int, now time.Time) Quota {
	if b == nil || b.rate.Burst <= 0 {
		return Quota{OK: true}
	}
	each := b.rate.Window / time.Duration(b.rate.Burst)
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.full[name]
	if full.Before(now) || full.Sub(now) > b.rate.Window { // the latter when the clock was set back: nobody waits for it to come again
		full = now
	}
	then := full.Add(time.Duration(max(n, 1)) * each)
	if over := then.Sub(now) - b.rate.Window; over > 0 {
		return Quota{Left: 0, Reset: full.Sub(now), Wait: over}
	}
	if n > 0 {
		full = then
		b.full[name] = full
		b.sweep(now)
	}
	return Quota{OK: true, Left: int((b.rate.Window - full.Sub(now)) / each), Reset: full.Sub(now)}
}

// sweep drops full buckets whenever the map has doubled, so that it stays about as large as what is in use.
func (b *Buckets) sweep(now time.Time) {
	if len(b.full) < b.next {
		return
	}
	for name, full := range b.full {
		if full.Before(now) {
			delete(b.full, name)
		}
	}
	b.next = max(1024, 2*len(b.full))
}

// Headers writes where the caller stands (draft-ietf-httpapi-ratelimit-headers).
func (b *Buckets) Headers(h http.Header, policy string, q Quota) {
	if b == nil || b.rate.Burst <= 0 {
		return
	}
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", policy, b.rate.Burst, seconds(b.rate.Window)))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", policy, q.Left, seconds(q.Reset)))
	if !q.OK {
		h.Set("Retry-After", strconv.Itoa(seconds(q.Wait)))
	}
}

// TooMany is the error for a refused quota.
func TooMany(q Quota) *errs.Error {
	return errs.RateLimited("rate_limited", "Too many requests. Wait as long as Retry-After says.").With("retry_after", seconds(q.Wait))
}

// seconds rounds up, so that who waits that long has waited long enough.
func seconds(d time.Duration) int {
	return max(int((d+time.Second-1)/time.Second), 1)
}
