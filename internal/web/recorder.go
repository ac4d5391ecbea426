package web

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A recorder is a handler's ResponseWriter. It remembers what the handler answers, and sets the deadlines of timeouts.go. These
// replace deadlines of the handler's own.
type recorder struct {
	http.ResponseWriter
	draining *atomic.Bool
	// The request's id, and the protocol by which it reached the proxy, or "" where that cannot be trusted.
	id, proto string
	status    atomic.Int32 // 0 until the answer begins; the timeout reads it from another goroutine
	bytes     int64

	timer    *time.Timer // ends the context after requestTimeout
	extended time.Time   // when the write deadline was set
	done     atomic.Bool // The handler has returned.
}

func (rec *recorder) begun() bool { return rec.status.Load() != 0 }

// WriteHeader begins the answer, unless it has begun or the status is one of those that come before it: 1xx but 101.
func (rec *recorder) WriteHeader(status int) {
	if rec.begun() {
		return
	}
	if status == http.StatusSwitchingProtocols || status >= 200 {
		rec.status.Store(int32(status))
	}
	if status < 200 { // net/http writes all of these but 101 at once.
		rec.extendWriteDeadline()
	} else if rec.draining.Load() {
		rec.Header().Set("Connection", "close")
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write writes 64 KB at a time, so that a client has rollingTimeout for each, however much a handler writes at once.
func (rec *recorder) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	for written := 0; ; {
		rec.extendWriteDeadline()
		n, err := rec.ResponseWriter.Write(b[written:min(len(b), written+64<<10)])
		rec.bytes += int64(n)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// Flush sends what net/http has buffered, for handlers that ask for an http.Flusher.
func (rec *recorder) Flush() {
	rec.WriteHeader(http.StatusOK)
	rec.extendWriteDeadline()
	http.NewResponseController(rec.ResponseWriter).Flush()
}

// Hijack hands over the connection, to a WebSocket for instance. The log line then says 101.
func (rec *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(rec.ResponseWriter).Hijack()
	if err == nil {
		rec.status.Store(http.StatusSwitchingProtocols)
	}
	return conn, buffer, err
}

// Unwrap lets http.ResponseController reach what the recorder does not have, like EnableFullDuplex.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }
