// Package web is the HTTP side of the server: every route, and what every answer has in common.
//
//	GET /              the page, assets/index.html
//	GET /assets/NAME   the files in assets/
//	GET /healthz       "ok" for as long as the server takes requests
//	GET /version       what is running, in JSON: see Version
//
// HEAD works wherever GET does. Any other path is answered with 404, any other method with 405 and an Allow header.
package web

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"
)

// New returns the handler for all requests. It writes one line per request to log. It calls version for every request
// of /version, so version should remember what is costly to find out; its error is logged and answered with 500.
func New(log *slog.Logger, version func() (Version, error)) http.Handler {
	// With SkipClean a path is taken as it is. Without, mux redirects //x to /x before it looks at routes and methods.
	router := mux.NewRouter().SkipClean(true)
	get := func(path string, handler http.Handler) {
		router.Handle(path, handler).Methods(http.MethodGet, http.MethodHead)
	}
	assets := loadAssets()
	get("/", assets["index.html"])
	get("/assets/{name:.*}", assets)
	get("/healthz", http.HandlerFunc(healthz))
	get("/version", versionHandler(log, version))
	router.NotFoundHandler = http.HandlerFunc(notFound)
	router.MethodNotAllowedHandler = methodNotAllowed(router)

	// mux's own middleware runs for matched routes only. What goes around the router holds for 404 and 405 too.
	return logRequests(log, router)
}

func healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "ok\n")
}

func versionHandler(log *slog.Logger, version func() (Version, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := version()
		if err != nil {
			log.Error("no answer for /version", "err", err)
			http.Error(w, "500 the server's log says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		v.WriteJSON(w)
	})
}
