package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/mux"
)

//go:embed assets
var embedded embed.FS

// The usual types, which the system's files may say otherwise. Package mime reads those, where there are some.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// assets holds the files of the folder assets/, without the page, by their name in it. Each is there twice: style.css also
// has the name style.HASH.css, which never changes its content, and which is what the page asks for.
type assets map[string]*asset

var hashInName = regexp.MustCompile(`\.[0-9a-f]{12}(\.\w+)?$`)

var loadAssets = sync.OnceValues(func() (page *asset, all assets) { // Once, for the tests make many handlers.
	all = make(assets)
	html, err := embedded.ReadFile("assets/index.html")
	if err != nil {
		panic(err) // Cannot happen: the files are in the executable.
	}
	fs.WalkDir(embedded, "assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || file == "assets/index.html" {
			return err
		}
		content, err := embedded.ReadFile(file)
		name := strings.TrimPrefix(file, "assets/")
		ext, hash := path.Ext(name), sha256.Sum256(content)
		hashed := fmt.Sprintf("%s.%x%s", strings.TrimSuffix(name, ext), hash[:6], ext)
		// A browser may keep the file but asks each time whether it is still the one: a release shows at once.
		all[name] = newAsset(name, "no-cache", content)
		all[hashed] = newAsset(hashed, "public, max-age=31536000, immutable", content)
		html = bytes.ReplaceAll(html, []byte(`"/assets/`+name+`"`), []byte(`"/assets/`+hashed+`"`))
		return err
	})
	return newAsset("index.html", "no-cache", html), all
})

// ServeHTTP serves the asset that the route's variable "name" names. In place of one of another release, which a page of
// that release may still ask for, it serves the one of today.
func (all assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	file, ok := all[name]
	if !ok {
		file, ok = all[hashInName.ReplaceAllString(name, "$1")]
	}
	if !ok {
		notFound(w, r)
		return
	}
	file.ServeHTTP(w, r)
}

// An asset's headers and content, plain and for clients that accept gzip.
type asset struct {
	plain   form
	gzipped func() form
}

type form struct {
	header  http.Header
	content []byte
}

func newAsset(name, cacheControl string, content []byte) *asset {
	hash := fmt.Sprintf("%x", sha256.Sum256(content))
	ext := path.Ext(name)
	contentType := cmp.Or(contentTypes[ext], mime.TypeByExtension(ext), http.DetectContentType(content))
	newForm := func(content []byte, etag string) form {
		return form{http.Header{
			"Cache-Control":  {cacheControl},
			"Content-Length": {strconv.Itoa(len(content))},
			"Content-Type":   {contentType},
			"Etag":           {etag},
			"Vary":           {"Accept-Encoding"},
		}, content}
	}
	plain := newForm(content, `"`+hash+`"`)
	return &asset{plain, sync.OnceValue(func() form {
		var compressed bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
		writer.Write(content)
		writer.Close()
		if compressed.Len() >= len(content) {
			return plain
		}
		gzipped := newForm(compressed.Bytes(), `"`+hash+`-gzip"`) // Other bytes need another ETag.
		gzipped.header.Set("Content-Encoding", "gzip")
		return gzipped
	})}
}

// ServeHTTP does not use http.ServeContent: the files are too small to be asked for in parts, and have no time. That would
// be the build's, and the bytes of the executable would depend on it.
func (file *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := file.plain
	if acceptsGzip(strings.Join(r.Header["Accept-Encoding"], ",")) {
		form = file.gzipped()
	}
	header := w.Header()
	maps.Copy(header, form.header)
	if match := strings.Join(r.Header["If-None-Match"], ","); match == "*" || strings.Contains(match, form.header["Etag"][0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(form.content)
}

// acceptsGzip reads the header Accept-Encoding: RFC 9110 lets a client name gzip or *, and refuse with the weight 0.
func acceptsGzip(header string) bool {
	accepted := false
	for coding := range strings.SplitSeq(strings.ToLower(header), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		q, weighted := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		refused := weighted && strings.Trim(q, "0.") == ""
		switch strings.TrimSpace(name) {
		case "gzip":
			return !refused
		case "*":
			accepted = !refused
		}
	}
	return accepted
}
