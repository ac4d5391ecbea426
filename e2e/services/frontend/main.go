// Frontend serves pages that npm has built into frontend/dist, and what their scripts ask for.
package main

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

//go:embed frontend/dist
var embedded embed.FS

func main() {
	pages, err := newPages()
	if err != nil {
		log.Fatal(err)
	}
	started := time.Now()
	var visits atomic.Int64
	mux := http.NewServeMux()
	mux.Handle("GET /", pages)
	mux.HandleFunc("GET /api/visits", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]any{"visits": visits.Add(1), "since": started.UTC()})
	})
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), mux))
}

// newPages serves the built files. A browser keeps them, and asks each time whether they are still the same. Embedded files have
// no date, so they need an ETag: here the hash of all of them.
func newPages() (http.Handler, error) {
	dist, err := fs.Sub(embedded, "frontend/dist")
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	err = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(dist, name)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
		return err
	})
	if err != nil {
		return nil, err
	}
	tag := fmt.Sprintf(`"%x"`, hash.Sum(nil)[:8])
	files := http.FileServerFS(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		files.ServeHTTP(w, r)
	}), nil
}
