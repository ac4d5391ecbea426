package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Both follow Heroku's router (https://devcenter.heroku.com/articles/http-routing). HTTPServer has the timeouts of a header and
// of an idle connection.

// requestTimeout is what a handler has for the first byte of an answer, beside the time that it waits for the body. The router
// waits 30 s, then answers by itself (H12).
const requestTimeout = 28 * time.Second

// rollingTimeout is what a client has for each read of a body and each write of an answer. The router gives up when nothing
// moves for 55 s. Streams, uploads and downloads that make progress have no other limit.
const rollingTimeout = 55 * time.Second

var errTimeout = errors.New("the request takes longer than Heroku's router waits")

// limitTime lets a handler answer. After requestTimeout it ends the context of the request, unless the answer has begun. It
// answers 503 for a handler that then returns without an answer.
func (s *Server) limitTime(ctx context.Context, rec *recorder, r *http.Request, handler http.Handler) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rec.timer = time.AfterFunc(requestTimeout, func() {
		if !rec.begun() {
			cancel(errTimeout)
		}
	})
	defer rec.timer.Stop()
	defer rec.done.Store(true)
	r = r.WithContext(ctx)
	if r.Body != http.NoBody {
		// Reading may write "100 Continue", and the connection has the deadline of its last answer.
		rec.extendWriteDeadline()
		// net/http reads what the handler does not, before it answers.
		rec.setReadDeadline(time.Now().Add(requestTimeout))
		r.Body = &body{r.Body, rec}
	}
	handler.ServeHTTP(rec, r)
	if !rec.begun() && context.Cause(ctx) == errTimeout {
		s.Log.ErrorContext(ctx, "a handler took too long", "path", r.URL.Path)
		rec.fail(http.StatusServiceUnavailable, "503 this took too long")
	}
	if rec.status.Load() != http.StatusSwitchingProtocols { // Else the connection is somebody else's.
		rec.extendWriteDeadline() // net/http still writes what it has buffered.
	}
}

// A body stops the handler's clock while it waits for the client.
type body struct {
	io.ReadCloser
	rec *recorder
}

func (b *body) Read(p []byte) (int, error) {
	b.rec.timer.Stop()
	b.rec.setReadDeadline(time.Now().Add(rollingTimeout))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.rec.setReadDeadline(time.Time{}) // From now on net/http reads to see whether the client goes away.
	}
	b.rec.timer.Reset(requestTimeout)
	return n, err
}

// setReadDeadline leaves the connection's next request alone: a goroutine of a handler may read for longer than the handler
// runs.
func (rec *recorder) setReadDeadline(t time.Time) {
	if !rec.done.Load() {
		http.NewResponseController(rec.ResponseWriter).SetReadDeadline(t)
	}
}

// extendWriteDeadline gives the client rollingTimeout from now on, give or take a second: setting a deadline costs CPU time.
func (rec *recorder) extendWriteDeadline() {
	if now := time.Now(); now.Sub(rec.extended) >= time.Second {
		rec.extended = now
		http.NewResponseController(rec.ResponseWriter).SetWriteDeadline(now.Add(rollingTimeout))
	}
}
