package web

import (
	"bufio"
	"context"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// answer is what handlers write to, and their request's context. It remembers what they answered, and can answer in their
// place when they take too long.
type answer struct {
	http.ResponseWriter
	requestContext
	draining    *atomic.Bool
	head, https bool // what the request was

	mu        sync.Mutex // guards what is below, and ResponseWriter from a handler and a timeout that both write
	begun     bool
	failed    bool // the timeout has answered
	ended     bool // the handler has returned
	status    int
	bytes     int64
	timeGiven time.Time // when the client was last given writeTimeout, at first by net/http
}

type requestIDKey struct{}

// requestContext adds the request's id to its context, and lets a timeout cancel it. Few handlers ask whether it is
// canceled. Only for those there is a context.WithCancelCause, which is costly.
type requestContext struct {
	context.Context          // net/http's
	ids             []string // the one id, as a header's value

	mu         sync.Mutex
	cancelable context.Context // nil until somebody asks
	cancel     context.CancelCauseFunc
}

func (c *requestContext) get(cancelable bool) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancelable && c.cancelable == nil {
		c.cancelable, c.cancel = context.WithCancelCause(c.Context)
	}
	if c.cancelable != nil {
		return c.cancelable
	}
	return c.Context
}

func (c *requestContext) Done() <-chan struct{} { return c.get(true).Done() }
func (c *requestContext) Err() error            { return c.get(false).Err() }

func (c *requestContext) Value(key any) any {
	if key == (requestIDKey{}) {
		return c // Not the id, which would be an allocation.
	}
	return c.get(false).Value(key)
}

// setHeaders sets what every answer has.
func (a *answer) setHeaders(header http.Header) {
	header["X-Request-Id"] = a.ids
	maps.Copy(header, securityHeaders)
	if a.https {
		header["Strict-Transport-Security"] = strictTransportSecurity
	}
}

func (a *answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writeHeader(status)
}

func (a *answer) writeHeader(status int) {
	if a.begun {
		return
	}
	if status >= 200 && a.draining.Load() {
		a.Header()["Connection"] = []string{"close"}
	}
	a.ResponseWriter.WriteHeader(status)
	if status >= 200 || status == http.StatusSwitchingProtocols { // Other 1xx come before the answer.
		a.status, a.begun = status, true
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed {
		return 0, http.ErrHandlerTimeout
	}
	a.writeHeader(http.StatusOK)
	for written := 0; ; {
		a.giveTime()
		n, err := a.ResponseWriter.Write(b[written:min(len(b), written+partBytes)])
		a.bytes += int64(n)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// giveTime gives the client writeTimeout to take what is written next. It does so once a second at most, for it is costly.
func (a *answer) giveTime() {
	now := time.Now()
	if now.Sub(a.timeGiven) < time.Second {
		return
	}
	a.timeGiven = now
	if w, ok := a.ResponseWriter.(interface{ SetWriteDeadline(time.Time) error }); ok {
		w.SetWriteDeadline(now.Add(writeTimeout))
	}
}

// FlushError is Flush with an error, which http.ResponseController asks for.
func (a *answer) FlushError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed {
		return http.ErrHandlerTimeout
	}
	a.writeHeader(http.StatusOK)
	a.giveTime()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *answer) Flush() { a.FlushError() }

// Hijack hands over the connection, to a WebSocket for instance. The log line then says 101.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed {
		return nil, nil, http.ErrHandlerTimeout
	}
	conn, buffer, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.begun, a.status = true, http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// finish is called when the handler has returned: from now on there is no timeout, and nobody else writes. What is left in
// net/http's buffer goes out next.
func (a *answer) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	if a.status != http.StatusSwitchingProtocols {
		a.giveTime()
	}
}

// Unwrap lets http.ResponseController reach what the answer does not offer, like SetReadDeadline.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
