package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The router gives up when nothing moves for 55 s. So each read of a body and each write of an answer has as long, and
// streams, uploads and downloads that make progress have no other limit.
const rollingTimeout = 55 * time.Second

// A recorder remembers what a handler answers. A client that does not take 64 KB within rollingTimeout is hung up on. That
// replaces deadlines of the handler's own.
type recorder struct {
	http.ResponseWriter
	draining *atomic.Bool
	begun    atomic.Bool // The timeout reads it from another goroutine.
	done     atomic.Bool // The handler has returned.
	status   int
	bytes    int64
	extended time.Time
}

func (rec *recorder) WriteHeader(status int) {
	if rec.begun.Load() {
		return
	}
	if status == http.StatusSwitchingProtocols || status >= 200 { // Other 1xx come before the answer.
		rec.begun.Store(true)
		rec.status = status
	}
	if status < 200 { // net/http writes all of these but 101 at once.
		rec.extend()
	} else if rec.draining.Load() {
		rec.Header().Set("Connection", "close")
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	for written := 0; ; {
		rec.extend()
		n, err := rec.ResponseWriter.Write(b[written:min(len(b), written+64<<10)])
		rec.bytes += int64(n)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// extend gives the client rollingTimeout from now on, give or take a second: setting a deadline costs CPU time.
func (rec *recorder) extend() {
	if now := time.Now(); now.Sub(rec.extended) >= time.Second {
		rec.extended = now
		http.NewResponseController(rec.ResponseWriter).SetWriteDeadline(now.Add(rollingTimeout))
	}
}

func (rec *recorder) Flush() {
	rec.WriteHeader(http.StatusOK)
	rec.extend()
	http.NewResponseController(rec.ResponseWriter).Flush()
}

// Hijack hands over the connection, to a WebSocket for instance. The log line then says 101.
func (rec *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(rec.ResponseWriter).Hijack()
	if err == nil {
		rec.begun.Store(true)
		rec.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap lets http.ResponseController reach what the recorder does not have, like EnableFullDuplex.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// finish is called when the handler has returned. net/http then writes what it has buffered.
func (rec *recorder) finish() {
	rec.done.Store(true)
	rec.WriteHeader(http.StatusOK)
	if rec.status != http.StatusSwitchingProtocols { // Else the connection is somebody else's.
		rec.extend()
	}
}

// A body stops the handler's clock while it waits for the client, which has rollingTimeout for each read.
type body struct {
	io.ReadCloser
	rec   *recorder
	timer *time.Timer
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Stop()
	b.deadline(time.Now().Add(rollingTimeout))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.deadline(time.Time{}) // From now on net/http reads to see whether the client goes away.
	}
	b.timer.Reset(requestTimeout)
	return n, err
}

// deadline leaves the connection's next request alone: a goroutine of a handler may read for longer than the handler runs.
func (b *body) deadline(t time.Time) {
	if !b.rec.done.Load() {
		http.NewResponseController(b.rec.ResponseWriter).SetReadDeadline(t)
	}
}
