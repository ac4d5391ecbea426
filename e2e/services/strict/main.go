// Strict accepts no arguments but its flags: a build tool's image must start it with none of its own. Its version comes
// from the linker: -ldflags "-X main.version=...".
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

var version = "unset"

func main() {
	greeting := flag.String("greeting", "hello", "what GET / answers")
	flag.Parse() // It skips a -- that ends the flags.
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "unexpected argument", flag.Arg(0))
		os.Exit(2)
	}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, *greeting)
	})
	http.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, version)
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
