// Disk reads its templates and static files from the working directory when it runs: an image needs more than the program.
// It has no dependencies, and so no go.sum.
package main

import (
	"cmp"
	"html/template"
	"log"
	"net/http"
	"os"
)

func main() {
	index, err := template.ParseFiles("templates/index.html")
	if err != nil {
		log.Fatal("cannot read the templates: ", err)
	}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if err := index.Execute(w, "templates/index.html"); err != nil {
			log.Print(err)
		}
	})
	http.Handle("GET /static/", http.StripPrefix("/static/", http.FileServer(http.Dir("static"))))
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
