package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// conn is one client's connection, kept alive. It speaks just enough of HTTP/1.1 to send what is prepared and to read the
// answer: on a machine that client and server share, each microsecond of the client is taken from the server.
type conn struct {
	base  *url.URL
	net   net.Conn
	in    *bufio.Reader
	body  []byte
	close bool // the server wants to
}

// patience is how long one request may take.
const patience = 30 * time.Second

func (c *conn) dial(ctx context.Context) error {
	host := c.base.Host
	if c.base.Port() == "" {
		host = net.JoinHostPort(c.base.Hostname(), map[string]string{"https": "443"}[c.base.Scheme])
		if c.base.Scheme != "https" {
			host = net.JoinHostPort(c.base.Hostname(), "80")
		}
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	var err error
	if c.base.Scheme == "https" {
		c.net, err = (&tls.Dialer{NetDialer: &d, Config: &tls.Config{ServerName: c.base.Hostname(), MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", host)
	} else {
		c.net, err = d.DialContext(ctx, "tcp", host)
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", host, err)
	}
	if c.in == nil {
		c.in = bufio.NewReaderSize(c.net, 16<<10)
	} else {
		c.in.Reset(c.net)
	}
	c.close = false
	return nil
}

func (c *conn) end() {
	if c.net != nil {
		_ = c.net.Close() // what was wanted of it is done
		c.net = nil
	}
}

// do sends a request and reads the whole answer. The body is good until the next call.
func (c *conn) do(ctx context.Context, request []byte) (status int, body []byte, err error) {
	if c.net == nil {
		if err := c.dial(ctx); err != nil {
			return 0, nil, err
		}
	}
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err = c.net.Write(request); err == nil {
		status, err = c.answer()
	}
	if err != nil || c.close {
		c.end()
	}
	return status, c.body, err
}

var errAnswer = errors.New("the answer is no HTTP/1.1")

func (c *conn) answer() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errAnswer
	}
	c.close = line[7] == '0'
	length, chunked, err := c.headers()
	if err != nil {
		return 0, err
	}
	c.body = c.body[:0]
	switch {
	case status == 204 || status == 304:
	case chunked:
		err = c.chunks()
	case length >= 0:
		err = c.take(length)
	default:
		c.close = true
		c.body, err = io.ReadAll(c.in)
	}
	return status, err
}

// headers reads the headers that matter. length is -1 when it is not told.
func (c *conn) headers() (length int, chunked bool, err error) {
	length = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch len(name) {
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
					return 0, false, errAnswer
				}
			}
		case len("Transfer-Encoding"):
			if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
				chunked = bytes.EqualFold(value, []byte("chunked"))
			}
		case len("Connection"):
			if bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close")) {
				c.close = true
			}
		}
	}
}

func (c *conn) take(n int) error {
	have := len(c.body)
	if cap(c.body) < have+n {
		c.body = append(make([]byte, 0, 2*(have+n)), c.body...)
	}
	c.body = c.body[:have+n]
	_, err := io.ReadFull(c.in, c.body[have:])
	return err
}

func (c *conn) chunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte{';'})
		n, err := strconv.ParseInt(string(size), 16, 32)
		if err != nil || n < 0 {
			return errAnswer
		}
		if err := c.take(int(n)); err != nil {
			return err
		}
		for n == 0 { // trailers, to the empty line
			line, err := c.in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				return nil
			}
		}
		if _, err := c.in.Discard(2); err != nil {
			return err
		}
	}
}
