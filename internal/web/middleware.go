package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// The router waits 30 s for the first byte of an answer, then answers by itself (H12).
const requestTimeout = 28 * time.Second

var errTimeout = errors.New("the request takes longer than Heroku's router waits")

// around is the middleware, outermost first: what every request gets and every answer has. mux's own would run for matched
// routes alone.
func (s *Server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), requestIDKey{}, requestID(r)))
		defer cancel(nil)
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w, draining: &s.draining}

		defer s.logRequest(rec, r, time.Now())
		s.setHeaders(rec, r)
		defer s.recoverPanic(rec, r)
		timer := time.AfterFunc(requestTimeout, func() {
			if !rec.begun.Load() {
				cancel(errTimeout)
			}
		})
		defer timer.Stop()
		if r.Body != http.NoBody {
			rec.extend() // Reading may write "100 Continue". The connection has the deadline of its last answer.
			b := &body{r.Body, rec, timer}
			b.deadline(time.Now().Add(requestTimeout)) // net/http reads what the handler does not, before it answers.
			r.Body = b
		}
		// Heroku's router takes plain HTTP, too. Health checks are answered as they come.
		if s.forwardedProto(r) == "http" && r.URL.Path != "/healthz" && strings.HasPrefix(r.URL.Path, "/") {
			http.Redirect(rec, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect)
		} else {
			next.ServeHTTP(rec, r)
		}
		if !rec.begun.Load() && context.Cause(ctx) == errTimeout {
			s.Log.ErrorContext(ctx, "a handler took too long", "path", r.URL.Path)
			s.fail(rec, r, http.StatusServiceUnavailable, "503 this took too long")
		}
		rec.finish()
	})
}

// logRequest writes a request's one line. Only the path is logged: a query may hold secrets. Platforms probe /healthz every
// few seconds, which is worth a line at level debug only, unless the answer is a bad one.
func (s *Server) logRequest(rec *recorder, r *http.Request, start time.Time) {
	if r.Method == http.MethodHead {
		rec.bytes = 0 // net/http drops the body.
	}
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" && rec.status == http.StatusOK {
		level = slog.LevelDebug
	}
	s.Log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
		slog.String("duration", time.Since(start).Round(time.Microsecond).String()))
}

// Strict defaults; a handler may override them. Their values are shared by all answers: set new ones, change none.
var securityHeaders = http.Header{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
}

func (s *Server) setHeaders(rec *recorder, r *http.Request) {
	header := rec.Header()
	maps.Copy(header, securityHeaders)
	header["X-Request-Id"] = []string{RequestID(r.Context())}
	if s.forwardedProto(r) == "https" {
		header.Set("Strict-Transport-Security", "max-age=31536000") // A year, and no subdomains: they may belong to others.
	}
}

// forwardedProto is the protocol by which a request reached the proxy, or "" where that cannot be trusted.
func (s *Server) forwardedProto(r *http.Request) string {
	if s.FromProxy == nil || !s.FromProxy(r) {
		return ""
	}
	return r.Header.Get("X-Forwarded-Proto")
}

// fail answers in a handler's place, without the headers that it has set.
func (s *Server) fail(rec *recorder, r *http.Request, status int, text string) {
	clear(rec.Header())
	s.setHeaders(rec, r)
	http.Error(rec, text, status)
}

// recoverPanic answers 500 when a handler panics, and logs where.
func (s *Server) recoverPanic(rec *recorder, r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if reason == http.ErrAbortHandler { // The handler wants the connection to end.
		panic(reason)
	}
	s.Log.ErrorContext(r.Context(), "a handler panicked", "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
	if rec.begun.Load() {
		panic(http.ErrAbortHandler) // The client must not take half an answer for a whole one.
	}
	s.fail(rec, r, http.StatusInternalServerError, "500 the server's log says why: request "+RequestID(r.Context()))
}

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestID returns the router's id for the request, or a new one when it does not have the form of one: 20 to 200 letters,
// digits and the characters +/=-.
func requestID(r *http.Request) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-"
	if id := r.Header.Get("X-Request-Id"); len(id) >= 20 && len(id) <= 200 && strings.Trim(id, letters) == "" {
		return id
	}
	return rand.Text()
}

// LogHandler adds the request's id to each line that is logged with the request's context.
type LogHandler struct{ slog.Handler }

func (h LogHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h LogHandler) WithAttrs(a []slog.Attr) slog.Handler { return LogHandler{h.Handler.WithAttrs(a)} }

func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }
