// Chi is go-chi/chi with its own middleware, go-chi/httplog and unrolled/secure.
package main

import (
	"log/slog"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httplog/v3"
	"github.com/unrolled/secure"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	router := chi.NewRouter()
	router.Use(middleware.RequestID)
	router.Use(httplog.RequestLogger(log, &httplog.Options{Level: slog.LevelInfo, Schema: httplog.SchemaECS.Concise(true), RecoverPanics: true}))
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := middleware.GetReqID(r.Context())
			w.Header().Set("X-Request-Id", id)
			httplog.SetAttrs(r.Context(), slog.String("request_id", id))
			next.ServeHTTP(w, r)
		})
	})
	router.Use(secure.New(secure.Options{
		ContentSecurityPolicy:     answer.Header.Get("Content-Security-Policy"),
		ReferrerPolicy:            "no-referrer",
		ContentTypeNosniff:        true,
		CrossOriginOpenerPolicy:   "same-origin",
		CrossOriginResourcePolicy: "same-origin",
		STSSeconds:                31536000,
		SSLProxyHeaders:           map[string]string{"X-Forwarded-Proto": "https"},
	}).Handler)
	router.Use(middleware.Compress(5))
	router.Get("/", answer.Handler(answer.Rest(append(answer.Security, "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy")...)))
	answer.Serve(router)
}
