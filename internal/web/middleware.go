package web

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

func notFound(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "404 not found", http.StatusNotFound)
}

// methodNotAllowed answers 405 with the Allow header that RFC 9110 asks for and mux leaves out.
func methodNotAllowed(router *mux.Router) http.Handler {
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods {
			other := *r
			other.Method = method
			var match mux.RouteMatch
			if router.Match(&other, &match) && match.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
	})
}

// logRequests writes one line per request. The request's id is in the line and in the answer's X-Request-Id.
func logRequests(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := requestID(r)
		w.Header().Set("X-Request-Id", id)
		answer := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		if r.Method == http.MethodHead {
			answer.bytes = 0 // net/http drops the body.
		}
		// The path alone: a query may hold secrets.
		log.Info("request", "method", r.Method, "path", r.URL.Path, "status", answer.status, "bytes", answer.bytes,
			"duration", time.Since(start).Round(time.Microsecond), "request_id", id)
	})
}

// Heroku's router sends ids of this form.
var herokuRequestID = regexp.MustCompile(`^[A-Za-z0-9+/=-]{20,200}$`)

func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); herokuRequestID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// recorder remembers what a handler answered.
type recorder struct {
	http.ResponseWriter
	status      int
	wroteHeader bool
	bytes       int64
}

func (r *recorder) WriteHeader(status int) {
	if !r.wroteHeader && (status >= 200 || status == http.StatusSwitchingProtocols) { // Other 1xx come before the answer.
		r.status, r.wroteHeader = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wroteHeader = true
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what the recorder does not offer, like Flush.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
