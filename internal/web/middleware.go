package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"heroku-go-example/internal/logs"
)

// around is the middleware, outermost first: what every request gets and every answer has. mux's own would run for matched
// routes alone.
func (s *Server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, draining: &s.draining, id: requestID(r)}
		if s.FromProxy != nil && s.FromProxy(r) {
			rec.proto = r.Header.Get("X-Forwarded-Proto")
		}
		ctx := logs.WithRequestID(r.Context(), rec.id)
		defer s.logRequest(ctx, rec, r, time.Now())
		rec.setHeaders()
		defer s.recoverPanic(ctx, rec)
		handler := next
		// Heroku's router takes plain HTTP, too. Health checks are answered as they come.
		if rec.proto == "http" && r.URL.Path != "/healthz" && strings.HasPrefix(r.URL.Path, "/") {
			handler = http.RedirectHandler("https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect)
		}
		s.limitTime(ctx, rec, r, handler)
		rec.WriteHeader(http.StatusOK) // As net/http does for a handler that writes nothing.
	})
}

// logRequest writes a request's one line. Only the path is logged: a query may hold secrets. Platforms probe /healthz every
// few seconds, which is worth a line at level debug only, unless the answer is a bad one.
func (s *Server) logRequest(ctx context.Context, rec *recorder, r *http.Request, start time.Time) {
	if r.Method == http.MethodHead {
		rec.bytes = 0 // net/http drops the body.
	}
	level, status := slog.LevelInfo, int(rec.status.Load())
	if r.URL.Path == "/healthz" && status == http.StatusOK {
		level = slog.LevelDebug
	}
	s.Log.LogAttrs(ctx, level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.Int64("bytes", rec.bytes),
		slog.String("duration", time.Since(start).Round(time.Microsecond).String()))
}

// recoverPanic answers 500 when a handler panics, and logs where.
func (s *Server) recoverPanic(ctx context.Context, rec *recorder) {
	switch reason := recover(); reason {
	case nil:
	case http.ErrAbortHandler: // The handler wants the connection to end.
		panic(reason)
	default:
		s.Log.ErrorContext(ctx, "a handler panicked", "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
		if rec.begun() {
			panic(http.ErrAbortHandler) // The client must not take half an answer for a whole one.
		}
		rec.fail(http.StatusInternalServerError, "500 the server's log says why: request "+rec.id)
	}
}

// securityHeaders are strict defaults; a handler may override them. All answers share the values: set new ones, change none.
var securityHeaders = http.Header{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
}

func (rec *recorder) setHeaders() {
	header := rec.Header()
	maps.Copy(header, securityHeaders)
	header["X-Request-Id"] = []string{rec.id}
	if rec.proto == "https" {
		header.Set("Strict-Transport-Security", "max-age=31536000") // A year, and no subdomains: they may belong to others.
	}
}

// fail answers in a handler's place, without the headers that it has set.
func (rec *recorder) fail(status int, text string) {
	clear(rec.Header())
	rec.setHeaders()
	http.Error(rec, text, status)
}

// requestID returns the router's id for the request, or a new one when it does not have the form of one: 20 to 200 letters,
// digits and the characters +/=- (https://devcenter.heroku.com/articles/http-request-id).
func requestID(r *http.Request) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-"
	if id := r.Header.Get("X-Request-Id"); len(id) >= 20 && len(id) <= 200 && strings.Trim(id, letters) == "" {
		return id
	}
	return rand.Text()
}
