// Bare is net/http and nothing else: the page and two headers.
package main

import (
	"net/http"
	"os"
	"strconv"

	"heroku-go-example/e2e/peers/answer"
)

func main() {
	length := strconv.Itoa(len(answer.Page))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", length)
		w.Write(answer.Page)
	})
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
