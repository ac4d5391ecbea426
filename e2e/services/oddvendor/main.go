// Oddvendor has a vendor folder that holds more than Linux can build: a build tool must build what the program imports,
// not every folder that is there.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/odd"
	"plainmod"
)

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s\n%s\n", odd.Text, plainmod.Text)
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
