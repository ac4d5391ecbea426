package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

//go:embed assets
var embedded embed.FS

// The usual types, which the files of the system that package mime reads may say otherwise. http.ServeContent finds the rest.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// assets holds the files of the folder assets/ by their name in it.
type assets map[string]asset

func loadAssets() assets {
	all := make(assets)
	err := fs.WalkDir(embedded, "assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(file)
		name := strings.TrimPrefix(file, "assets/")
		all[name] = asset{name, content, fmt.Sprintf(`"%x"`, sha256.Sum256(content))}
		return err
	})
	if err != nil {
		panic(err) // Cannot happen: the files are in the executable.
	}
	return all
}

// ServeHTTP serves the asset that the route's variable "name" names.
func (all assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := all[mux.Vars(r)["name"]]
	if !ok {
		notFound(w, r)
		return
	}
	file.ServeHTTP(w, r)
}

type asset struct {
	name    string
	content []byte
	etag    string
}

func (file asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if contentType, ok := contentTypes[path.Ext(file.name)]; ok {
		w.Header().Set("Content-Type", contentType)
	}
	w.Header().Set("ETag", file.etag)
	// A browser may keep the file but asks each time whether it is still the one: a release shows at once.
	w.Header().Set("Cache-Control", "no-cache")
	// The files have no time: it would be the build's, and the bytes of the executable would depend on it.
	http.ServeContent(w, r, file.name, time.Time{}, bytes.NewReader(file.content))
}
