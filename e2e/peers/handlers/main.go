// Handlers is gorilla/mux with gorilla/handlers. They have nothing for the request's id and for security.
package main

import (
	"net/http"
	"os"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	router := mux.NewRouter()
	page := answer.Handler(answer.Header)
	router.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		page(w, r)
	})
	answer.Serve(handlers.LoggingHandler(os.Stdout, handlers.RecoveryHandler()(handlers.CompressHandler(router))))
}
