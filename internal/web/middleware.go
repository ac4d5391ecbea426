package web

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

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

// The page needs nothing from elsewhere, and nobody else needs the page's parts. What a handler sets itself goes first.
var securityHeaders = http.Header{
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Referrer-Policy":              {"no-referrer"},
	"X-Content-Type-Options":       {"nosniff"},
}

// A year. Not for subdomains, which may be somebody else's.
var strictTransportSecurity = []string{"max-age=31536000"}

// setHeaders sets what every answer has.
func (s *Server) setHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := w.(*answer)
		a.https = s.BehindRouter && r.Header.Get("X-Forwarded-Proto") == "https"
		a.setHeaders(a.Header())
		next.ServeHTTP(w, r)
	})
}

// requireHTTPS sends requests that reached Heroku's router by plain HTTP to HTTPS. Health checks are answered as they come.
func (s *Server) requireHTTPS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.BehindRouter && r.Header.Get("X-Forwarded-Proto") == "http" && r.URL.Path != "/healthz" && strings.HasPrefix(r.URL.Path, "/") {
			http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics answers 500 when a handler panics, and logs where.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if reason == http.ErrAbortHandler { // The handler wants the connection to end.
				panic(reason)
			}
			s.Log.ErrorContext(r.Context(), "a handler panicked", "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
			a := w.(*answer)
			if a.begun {
				panic(http.ErrAbortHandler) // The client must not take half an answer for a whole one.
			}
			clear(a.Header()) // They were for another answer.
			a.setHeaders(a.Header())
			http.Error(w, "500 the server's log says why: request "+RequestID(r.Context()), http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}
