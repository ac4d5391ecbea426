// Names needs files and folders whose names look as if no build needed them: a build tool must not leave them out.
package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/services/names/docs"
	"example.com/services/names/nix"
	"example.com/services/names/result"
)

//go:embed README.md
var readme string

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, readme, docs.README, docs.Page, result.Text+"\n", nix.Text+"\n")
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
