package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The limits fit Heroku's router, and hold slow clients off where there is none.
const (
	// The router passes on header lines of up to 8 KB.
	maxHeaderBytes = 64 << 10
	// No route takes a body. One that takes more raises this.
	maxBodyBytes = 1 << 20

	// The router sends a header in one go. Who takes longer wants to hold the connection.
	readHeaderTimeout = 10 * time.Second
	// The router waits 30 s for the first byte of an answer, then gives up (H12) and leaves the server to work in vain.
	requestTimeout = 28 * time.Second
	// A body that does not come is waited for even when the handler has answered without it: net/http keeps that answer back.
	readTimeout = requestTimeout + time.Second
	// The router ends an answer that makes no progress for 55 s. Each part of an answer has as long to reach the client, give
	// or take 1 s.
	writeTimeout = 55 * time.Second
	partBytes    = 64 << 10
	// The router keeps idle connections for 90 s. A server that closes first can lose a request that is on its way (H13).
	idleTimeout = 120 * time.Second
)

var errTimeout = errors.New("the request takes longer than Heroku's router waits")

// HTTPServer returns a server with all limits, which logs its errors as everything else. What it cannot read it answers by
// itself, without a log line: 400, 417, 431, 501 or 505.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout, // From the request's header on. Handlers get more: see answer.giveTime.
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
		// "OPTIONS *" is answered by the handler too.
		DisableGeneralOptionsHandler: true,
	}
}

// limitRequests holds requests to maxBodyBytes, and to requestTimeout until their answer begins. A stream that has begun
// may go on.
func (s *Server) limitRequests(next http.Handler) http.Handler {
	type timeout struct {
		*time.Timer
		answer *answer
		path   string
	}
	timeouts := sync.Pool{New: func() any { // Which saves two allocations per request.
		t := new(timeout)
		t.Timer = time.AfterFunc(requestTimeout, func() {
			if t.answer.timeOut() {
				s.Log.ErrorContext(&t.answer.requestContext, "a handler takes too long: answered 503", "path", t.path)
			}
		})
		return t
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := w.(*answer)
		if r.ContentLength > maxBodyBytes {
			http.Error(w, fmt.Sprintf("413 the body has more than %d bytes", maxBodyBytes), http.StatusRequestEntityTooLarge)
			return
		}
		if r.ContentLength != 0 {
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		}
		t := timeouts.Get().(*timeout)
		t.answer, t.path = a, r.URL.Path
		t.Reset(requestTimeout)
		defer func() {
			if t.Stop() {
				t.answer = nil
				timeouts.Put(t)
			}
			a.finish()
		}()
		next.ServeHTTP(w, r)
	})
}

// timeOut answers 503, closes the connection and cancels the request's context. It leaves alone the headers, which the
// handler may be setting: what the handler writes goes nowhere. Where the handler's answer has begun, timeOut only sends
// what net/http still keeps of it, so that the router gets its first byte.
func (a *answer) timeOut() bool {
	if !a.mu.TryLock() { // The handler is writing, or has just returned.
		return false
	}
	defer a.mu.Unlock()
	controller := http.NewResponseController(a.ResponseWriter)
	if a.begun && !a.ended && a.status != http.StatusSwitchingProtocols {
		controller.EnableFullDuplex() // Otherwise net/http first reads the request's body, which the handler may want.
		controller.Flush()
	}
	if a.begun || a.ended {
		return false
	}
	a.get(true)
	a.cancel(errTimeout)
	conn, _, err := controller.Hijack()
	if err != nil {
		return false
	}
	text := "503 this took too long\n"
	a.begun, a.failed, a.status = true, true, http.StatusServiceUnavailable
	header := http.Header{
		"Connection":     {"close"},
		"Content-Length": {strconv.Itoa(len(text))},
		"Content-Type":   {"text/plain; charset=utf-8"},
		"Date":           {time.Now().UTC().Format(http.TimeFormat)},
	}
	a.setHeaders(header)
	if a.head {
		text = ""
	}
	a.bytes = int64(len(text))
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprint(conn, "HTTP/1.1 503 Service Unavailable\r\n")
	header.Write(conn)
	fmt.Fprintf(conn, "\r\n%s", text)
	// Closed at once, the connection would be reset, and the answer lost, if the client is still sending.
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	time.AfterFunc(500*time.Millisecond, func() { conn.Close() })
	return true
}
