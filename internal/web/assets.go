package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed assets
var embedded embed.FS

//go:embed assets/index.html
var indexHTML string

// loadAssets returns the page and the other files in the folder assets/, by their name in it. The page asks for each of these
// by its hash, as style.css?v=HASH, so that browsers can keep it for good. It runs once: tests make many handlers.
var loadAssets = sync.OnceValues(func() (page *asset, others map[string]*asset) {
	// The system may have other ideas: on Windows .js can be text/plain, which browsers would not run.
	mime.AddExtensionType(".css", "text/css; charset=utf-8")
	mime.AddExtensionType(".js", "text/javascript; charset=utf-8")
	others = make(map[string]*asset)
	html := indexHTML
	err := fs.WalkDir(embedded, "assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || file == "assets/index.html" {
			return err
		}
		content, err := embedded.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, "assets/")
		others[name] = newAsset(name, content)
		html = strings.ReplaceAll(html, `"/assets/`+name+`"`, `"/assets/`+name+`?v=`+others[name].hash+`"`)
		return nil
	})
	if err != nil {
		panic(err) // Cannot happen: the files are in the executable.
	}
	return newAsset("index.html", []byte(html)), others
})

// An asset is a file, and the same compressed for clients that accept gzip.
type asset struct {
	name, hash string
	plain      []byte
	gzipped    func() []byte // compresses on first use
}

func newAsset(name string, content []byte) *asset {
	hash := fmt.Sprintf("%x", sha256.Sum256(content))[:12]
	return &asset{name, hash, content, sync.OnceValue(func() []byte {
		var compressed bytes.Buffer
		writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression) // No error: there is this level, and a buffer takes all.
		writer.Write(content)
		writer.Close()
		return compressed.Bytes()
	})}
}

// ServeHTTP lets clients keep the file for a year when they ask for it by its hash. Otherwise they ask each time whether it
// is still the same. An outdated hash gets today's file.
func (file *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header, content, etag := w.Header(), file.plain, file.hash
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == "v="+file.hash {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if acceptsGzip(strings.Join(r.Header["Accept-Encoding"], ",")) && len(file.gzipped()) < len(content) {
		content, etag = file.gzipped(), file.hash+"-gzip" // Other bytes need another ETag.
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", `"`+etag+`"`)
	// No time: the bytes of the executable would depend on it.
	http.ServeContent(w, r, file.name, time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads the header Accept-Encoding (RFC 9110, 12.5.3), like "br, gzip;q=0.5". A weight of 0 refuses.
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.ToLower(coding), ";")
		if strings.TrimSpace(name) == "gzip" {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return weight == "" || err == nil && q > 0
		}
	}
	return false
}
