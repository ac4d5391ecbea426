// Modules has dependencies and no vendor folder: a build must fetch them, and check them against go.sum.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
)

func main() {
	r := mux.NewRouter()
	r.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	}).Methods(http.MethodGet)
	r.HandleFunc("/id/{name}", func(w http.ResponseWriter, r *http.Request) {
		// The same name has the same UUID.
		fmt.Fprintln(w, uuid.NewSHA1(uuid.NameSpaceURL, []byte(mux.Vars(r)["name"])))
	}).Methods(http.MethodGet)
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), r))
}
