package faults

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between two programs and breaks what goes through it.
type proxy struct {
	r        *run
	listener net.Listener
	target   func() string // HOST:PORT
	// taps makes the tap of each new connection; nil lets everything pass.
	taps atomic.Pointer[func() tap]

	mu    sync.Mutex
	wires map[*wire]bool
}

// tap sees each chunk of one connection on its way, and says what comes of it.
type tap struct {
	// up is from the client to the server, down the other way. nil passes.
	up, down func(chunk []byte) verdict
	// turn, unless it is nil, gives what goes to the server in the place of a chunk.
	turn func(chunk []byte) []byte
}

type verdict int

const (
	pass    verdict = iota
	drop            // the chunk does not arrive, and the connection ends
	last            // the chunk arrives, and its sender hears nothing more
	swallow         // the chunk does not arrive, and the connection stays
)

// wire is one connection.
type wire struct{ client, server net.Conn }

// proxy listens on a free port for connections to the target, which may move.
func (r *run) proxy(target func() string) *proxy {
	r.Helper()
	listener, err := new(net.ListenConfig).Listen(r.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	p := &proxy{r: r, listener: listener, target: target, wires: map[*wire]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.carry(client) })
		}
	})
	r.Cleanup(func() {
		listener.Close()
		p.reset()
		all.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// through gives a database URL that leads through the proxy.
func (p *proxy) through(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	u.Host = p.address()
	return u.String()
}

// hostOf gives HOST:PORT of a URL.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// tap has every new connection go through a tap of its own. What is open already keeps its own.
func (p *proxy) tap(of func() tap) { p.taps.Store(&of) }

// mend lets everything pass again, on new connections.
func (p *proxy) mend() { p.taps.Store(nil) }

// reset cuts all connections as a router does that forgot them: with RST.
func (p *proxy) reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.wires)
	for w := range p.wires {
		w.cut()
	}
	return n
}

func (w *wire) cut() {
	for _, c := range []net.Conn{w.client, w.server} {
		reset(c)
	}
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

func (p *proxy) carry(client net.Conn) {
	server, err := new(net.Dialer).DialContext(p.r.Context(), "tcp", p.target())
	if err != nil {
		client.Close()
		return
	}
	w := &wire{client, server}
	p.mu.Lock()
	p.wires[w] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.wires, w)
		p.mu.Unlock()
	}()
	var t tap
	if of := p.taps.Load(); of != nil {
		t = (*of)()
	}
	var both sync.WaitGroup
	both.Go(func() { w.flow(client, server, t.up, t.turn) })
	both.Go(func() { w.flow(server, client, t.down, nil) })
	both.Wait()
}

// flow carries one direction until it ends.
func (w *wire) flow(from, to net.Conn, see func([]byte) verdict, turn func([]byte) []byte) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			what := pass
			if see != nil {
				what = see(buffer[:n])
			}
			if what == drop {
				w.cut()
				return
			}
			if what == swallow {
				continue
			}
			chunk := buffer[:n]
			if turn != nil {
				chunk = turn(chunk)
			}
			if what == last {
				reset(from) // before the other side can answer what it is about to get
			}
			if _, err := to.Write(chunk); err != nil || what == last {
				w.cut()
				return
			}
		}
		if err != nil {
			// One side is done: so is the other, when it has read what was on its way.
			w.client.Close()
			w.server.Close()
			return
		}
	}
}

// frontend reads what a client says to PostgreSQL, as far as it must to see a COMMIT: as a simple query, or as a prepared
// statement, alone or behind others. It is for one connection.
type frontend struct {
	// of, unless it is nil, says whether a value of a statement is what to look for: then only the COMMIT of a transaction that carried
	// such a value counts. A program also commits what nobody has asked for at this moment: its jobs, leases and marks.
	of func(value []byte) bool

	rest    []byte
	begun   bool              // the first message has no type
	texts   map[string]string // of prepared statements, by name
	carried bool              // the open transaction has what to look for
}

// sees says whether a COMMIT ends in the chunk.
func (f *frontend) sees(chunk []byte) bool {
	seen := false
	f.each(chunk, func(_ []byte, commit bool) { seen = seen || commit })
	return seen
}

// each calls do for each message that ends in the chunk, and tells the COMMIT.
func (f *frontend) each(chunk []byte, do func(message []byte, commit bool)) {
	f.rest = append(f.rest, chunk...)
	for {
		head := 5
		if !f.begun {
			head = 4
		}
		if len(f.rest) < head {
			return
		}
		size := head - 4 + int(binary.BigEndian.Uint32(f.rest[head-4:]))
		if len(f.rest) < size {
			return
		}
		message := f.rest[:size]
		f.rest = f.rest[size:]
		commit := false
		if f.begun {
			words := bytes.SplitN(message[head:], []byte{0}, 3)
			switch message[0] {
			case 'Q': // text
				commit = f.runs(string(words[0]), nil)
			case 'P': // name of the statement, text
				if f.texts == nil {
					f.texts = map[string]string{}
				}
				f.texts[string(words[0])] = string(words[1])
			case 'B': // name of the portal, name of the statement, formats and values
				commit = f.runs(f.texts[string(words[1])], values(words[2]))
			}
		}
		f.begun = true
		do(message, commit)
	}
}

// runs notes a statement, and says whether it is the COMMIT that is looked for.
func (f *frontend) runs(text string, values [][]byte) bool {
	word, _, _ := strings.Cut(strings.ToUpper(strings.Trim(text, " ;")), " ")
	switch word {
	case "BEGIN", "ROLLBACK":
		f.carried = false
	case "COMMIT":
		is := f.of == nil || f.carried
		f.carried = false
		return is
	default:
		f.carried = f.carried || f.of != nil && slices.ContainsFunc(values, f.of)
	}
	return false
}

// values gives the values in what follows the names in a Bind message: how many formats, these, how many values, and each with its length
// before it, which is below zero for NULL.
func values(b []byte) (list [][]byte) {
	b = b[2+2*int(binary.BigEndian.Uint16(b)):]
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	for range n {
		size := max(0, int(int32(binary.BigEndian.Uint32(b))))
		list = append(list, b[4:4+size])
		b = b[4+size:]
	}
	return list
}

// backend reads what PostgreSQL answers, as far as it must to see that it has done a statement. It is for one connection.
type backend struct {
	tag  string // what it says when it has
	tail []byte
}

// done says whether the answer ends in the chunk: its text may be split over two.
func (b *backend) done(chunk []byte) bool {
	tag := []byte(b.tag + "\x00")
	text := slices.Concat(b.tail, chunk)
	b.tail = text[max(0, len(text)-len(tag)+1):]
	return bytes.Contains(text, tag)
}

// once is a tap for just one connection: whoever first meets the condition takes the shot.
type once struct{ left atomic.Int64 }

// arm lets n shots be taken.
func (o *once) arm(n int64) { o.left.Store(n) }

// take takes a shot, if there is one left.
func (o *once) take() bool { return o.left.Add(-1) >= 0 }

// spent says that all shots were taken.
func (o *once) spent() bool { return o.left.Load() <= 0 }

// slow makes a tap that holds every chunk back for a time.
func slow(r *run, d time.Duration) func() tap {
	wait := func([]byte) verdict { r.pause(d); return pass }
	return func() tap { return tap{up: wait, down: wait} }
}

// short makes a tap that lets so many bytes of answers pass, and then cuts.
func short(bytes func() int) func() tap {
	return func() tap {
		left := bytes()
		return tap{down: func(chunk []byte) verdict {
			if left -= len(chunk); left < 0 {
				return drop
			}
			return pass
		}}
	}
}
