// Web is one of two programs of a module that has none at its top.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/services/programs/internal/greeting"
)

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, greeting.From("web"))
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
