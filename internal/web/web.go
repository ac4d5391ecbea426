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
	"sync/atomic"

	"github.com/gorilla/mux"
)

// A Server handles all requests.
type Server struct {
	// Log takes one line per request, with its id. See LogHandler.
	Log *slog.Logger
	// Version is called for every request of /version, so it should remember what is costly to find out. Its error is
	// logged and answered with 500.
	Version func() (Version, error)
	// BehindRouter says that each request comes from Heroku's router, whose X-Forwarded-Proto can be trusted. Requests
	// that reached it by plain HTTP are then sent to HTTPS.
	BehindRouter bool

	draining atomic.Bool
}

// Handler returns the handler for all requests.
func (s *Server) Handler() http.Handler {
	// With SkipClean a path is taken as it is. Without, mux redirects //x to /x before it looks at routes and methods.
	router := mux.NewRouter().SkipClean(true)
	get := func(path string, handler http.Handler) {
		router.Handle(path, handler).Methods(http.MethodGet, http.MethodHead)
	}
	page, assets := loadAssets()
	get("/", page)
	get("/assets/{name:.*}", assets)
	get("/healthz", http.HandlerFunc(s.healthz))
	get("/version", http.HandlerFunc(s.version))
	router.NotFoundHandler = http.HandlerFunc(notFound)
	router.MethodNotAllowedHandler = methodNotAllowed(router)

	return s.around(router)
}

// around puts the middleware around a handler. mux's own runs for matched routes only; this one holds for 404 and 405 too.
// The last one sees a request first.
func (s *Server) around(handler http.Handler) http.Handler {
	handler = s.limitRequests(handler)
	handler = s.recoverPanics(handler)
	handler = s.requireHTTPS(handler)
	handler = s.setHeaders(handler)
	handler = s.logRequests(handler)
	return handler
}

// Drain makes /healthz say that no more requests are wanted, and closes each connection after its next answer. Requests
// are answered as before: who sends them may not have heard yet.
func (s *Server) Drain() { s.draining.Store(true) }

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if s.draining.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "stopping\n")
		return
	}
	io.WriteString(w, "ok\n")
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	v, err := s.Version()
	if err != nil {
		s.Log.ErrorContext(r.Context(), "no answer for /version", "err", err)
		http.Error(w, "500 the server's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	v.WriteJSON(w)
}
