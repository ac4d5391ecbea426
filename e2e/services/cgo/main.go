// Cgo needs a C compiler: a build without cgo must fail, and say so.
package main

// static const char *greeting(void) { return "hello from C"; }
import "C"

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, C.GoString(C.greeting()))
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
