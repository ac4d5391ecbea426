// Package web is the HTTP side of the server: every route, and what every answer has in common.
//
//	GET /              the page, assets/index.html
//	GET /assets/NAME   the files in assets/
//	GET /healthz       "ok" for as long as the server wants requests, then 503
//	GET /version       what is running, in JSON: see Version
//
// HEAD works wherever GET does. Any other path is answered with 404, any other method with 405 and an Allow header.
package web

import (
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
)

// A Server handles all requests. Log and Version must be set.
type Server struct {
	// Log takes one line per request. With a logs.Handler it has the request's id.
	Log *slog.Logger
	// Version is called for every request of /version. Its error is logged and answered with 500.
	Version func() (Version, error)
	// FromProxy says whether a request has come by a proxy whose X-Forwarded-Proto can be trusted. If it reached that by plain
	// HTTP, it is sent to HTTPS; if by HTTPS, the answer asks the browser to stay there. Without FromProxy, none has.
	FromProxy func(*http.Request) bool

	draining atomic.Bool
}

// Handler returns the handler for all requests.
func (s *Server) Handler() http.Handler {
	// With SkipClean a path is taken as it is. Without, mux redirects //x to /x before it looks at routes and methods.
	router := mux.NewRouter().SkipClean(true)
	get := func(path string, handler http.HandlerFunc) {
		router.HandleFunc(path, handler).Methods(http.MethodGet, http.MethodHead)
	}
	page, assets := loadAssets()
	get("/", page.ServeHTTP)
	get("/healthz", s.healthz)
	get("/version", s.version)
	for name, asset := range assets {
		get("/assets/"+name, asset.ServeHTTP)
	}
	router.NotFoundHandler = notServed(router)
	router.MethodNotAllowedHandler = router.NotFoundHandler
	return s.around(router)
}

// HTTPServer returns a server for the handler. What it cannot read it answers by itself, without a log line: 400, 417, 431,
// 501 or 505.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler: s.Handler(),
		// The router passes on header lines of up to 8 KB.
		MaxHeaderBytes: 64 << 10,
		// The router sends a header in one go. A client that takes longer is hung up on. See timeouts.go for slow handlers,
		// slow bodies and slow readers.
		ReadHeaderTimeout: 10 * time.Second,
		// The router keeps idle connections for 90 s (https://devcenter.heroku.com/articles/http-routing). A server that closes
		// first can lose a request (H13, H18).
		IdleTimeout: 120 * time.Second,
		ErrorLog:    slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
		// The handler answers "OPTIONS *", too.
		DisableGeneralOptionsHandler: true,
	}
}

// Drain makes /healthz say that no more requests are wanted, and closes each connection after its next answer. Requests
// are answered as before: their senders may not have heard yet.
func (s *Server) Drain() { s.draining.Store(true) }

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if s.draining.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	v, err := s.Version()
	if err != nil {
		s.Log.ErrorContext(r.Context(), "cannot say the version", "err", err)
		http.Error(w, "500 the server's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	v.WriteJSON(w)
}

// notServed answers 405 where another method is served, with the Allow header that RFC 9110 asks for, and 404 elsewhere. mux
// itself answers 404, too, where a subrouter or a later route has the last word.
func notServed(router *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
			methods, _ := route.GetMethods()
			for _, method := range methods {
				other, match := *r, mux.RouteMatch{}
				other.Method = method
				if router.Match(&other, &match) && match.MatchErr == nil && !slices.Contains(allowed, method) {
					allowed = append(allowed, method)
				}
			}
			return nil
		})
		if allowed == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
	})
}
