// Floor is what the same answer costs at least with net/http: every header and one line of log, which leaves together with
// others. It has no router, no middleware and no limits.
package main

import (
	"log/slog"
	"maps"
	"net/http"
	"os"
	"time"

	"heroku-go-example/e2e/peers/answer"
	"heroku-go-example/internal/logs"
)

func main() {
	out, err := logs.Open(os.Getenv, os.Stdout)
	if err != nil {
		panic(err)
	}
	log := slog.New(out.Handler)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		header, id := w.Header(), r.Header.Get("X-Request-Id")
		maps.Copy(header, answer.Header)
		header["X-Request-Id"] = []string{id}
		n, _ := w.Write(answer.Page)
		log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", http.StatusOK), slog.Int("bytes", n),
			slog.String("duration", time.Since(start).Round(time.Microsecond).String()), slog.String("request_id", id))
	})
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
