package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if c, ok := ctx.Value(requestIDKey{}).(*requestContext); ok {
		return c.ids[0]
	}
	return ""
}

// LogHandler adds the request's id to each line that is logged with the request's context.
type LogHandler struct {
	slog.Handler
	// WithoutTime leaves the time out: Logplex puts its own before each line.
	WithoutTime bool
}

func (h LogHandler) Handle(ctx context.Context, record slog.Record) error {
	if h.WithoutTime {
		record.Time = time.Time{}
	}
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(attrs), h.WithoutTime}
}

func (h LogHandler) WithGroup(name string) slog.Handler {
	return LogHandler{h.Handler.WithGroup(name), h.WithoutTime}
}

// logRequests writes one line per request, with its id.
func (s *Server) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		a := &answer{ResponseWriter: w, draining: &s.draining, head: r.Method == http.MethodHead, timeGiven: start}
		a.Context, a.ids = r.Context(), requestIDs(r)
		defer func() {
			if a.head {
				a.bytes = 0 // net/http drops the body.
			}
			// The path alone: a query may hold secrets.
			s.Log.LogAttrs(&a.requestContext, slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Int("status", a.status), slog.Int64("bytes", a.bytes),
				slog.Duration("duration", time.Since(start).Round(time.Microsecond)))
		}()
		next.ServeHTTP(a, r.WithContext(&a.requestContext))
		a.WriteHeader(http.StatusOK) // Unless the handler has.
	})
}

// requestIDs returns the router's id for the request, as a header's value, or a new one where none has its form: 20 to 200
// letters, digits and the characters +/=-.
func requestIDs(r *http.Request) []string {
	ids := r.Header["X-Request-Id"]
	if len(ids) != 1 || len(ids[0]) < 20 || len(ids[0]) > 200 {
		return []string{rand.Text()}
	}
	for _, c := range []byte(ids[0]) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/=-", c) >= 0) {
			return []string{rand.Text()}
		}
	}
	return ids
}
