package web

import (
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// LimitConnections lets at most so many connections be open at once; who comes then waits in the system's queue. So the process
// never runs out of files in the middle of a transaction.
func LimitConnections(l net.Listener, most int, reg prometheus.Registerer) net.Listener {
	out := &limited{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{})}
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "lojal_http_connections", Help: "Connections of callers that are open."}, func() float64 { return float64(len(out.slots)) })
	auto.NewGauge(prometheus.GaugeOpts{Name: "lojal_http_connections_max", Help: "Connections of callers that may be open at once."}).Set(float64(most))
	return out
}

type limited struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a free slot, and then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close wakes an Accept that waits for a slot.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type slotted struct {
	net.Conn
	free func()
}

// Close gives the slot back.
func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
