package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// assetsByPath returns the files in assets/, which may be other ones tomorrow.
func assetsByPath() map[string]*asset {
	files := make(map[string]*asset)
	_, all := loadAssets()
	for name, file := range all {
		files[(&url.URL{Path: "/assets/" + name}).String()] = file
	}
	return files
}

func TestEveryFileInTheFolderIsServed(t *testing.T) {
	for path, file := range assetsByPath() {
		response, body, _ := ask(t, "GET", path, nil)
		if response.StatusCode != 200 || body != string(file.plain) || response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("GET %s: got %d, %v and %d bytes, want the file, and no-cache", path, response.StatusCode, response.Header, len(body))
		}
		response, _, _ = ask(t, "HEAD", path, nil)
		if response.StatusCode != 200 || response.Header.Get("Content-Length") != strconv.Itoa(len(file.plain)) {
			t.Errorf("HEAD %s: got %d, %v", path, response.StatusCode, response.Header)
		}
	}
}

func TestThePageAsksForNothingThatIsNotServed(t *testing.T) {
	_, page, _ := ask(t, "GET", "/", nil)
	for _, link := range regexp.MustCompile(`(?:href|src)\s*=\s*["']?(/[^"'#\s>]*)`).FindAllStringSubmatch(page, -1) {
		if response, _, _ := ask(t, "GET", link[1], nil); response.StatusCode >= 400 {
			t.Errorf("the page links to %s, which answers %d", link[1], response.StatusCode)
		}
	}
}

func TestThePageAsksForAssetsByTheirHashAndBrowsersKeepThem(t *testing.T) {
	html, err := embedded.ReadFile("assets/index.html")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := ask(t, "GET", "/", nil)
	for path, file := range assetsByPath() {
		hashed := path + "?v=" + file.hash
		if got, want := strings.Count(page, `"`+hashed+`"`), strings.Count(string(html), `"`+path+`"`); got != want || strings.Contains(page, `"`+path+`"`) {
			t.Errorf("the page asks %d times for %s, want %d as in assets/index.html", got, hashed, want)
		}
		response, body, _ := ask(t, "GET", hashed, nil)
		if response.StatusCode != 200 || body != string(file.plain) || response.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: got %d, %v, want it to be kept for a year", hashed, response.StatusCode, response.Header)
		}
	}
}

func TestAnOutdatedHashGetsTodaysFile(t *testing.T) {
	for path, file := range assetsByPath() {
		response, body, _ := ask(t, "GET", path+"?v=0123456789ab", nil)
		if response.StatusCode != 200 || body != string(file.plain) || response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: got %d, %v, want today's file, not to be kept under that name", path, response.StatusCode, response.Header)
		}
	}
}

func TestAnAssetThatTheClientHasIsNotSentAgain(t *testing.T) {
	paths := []string{"/"}
	for path := range assetsByPath() {
		paths = append(paths, path)
	}
	for _, path := range paths {
		for _, encoding := range []string{"identity", "gzip"} {
			response, _, _ := ask(t, "GET", path, http.Header{"Accept-Encoding": {encoding}})
			etag := response.Header.Get("ETag")
			for match, status := range map[string]int{etag: 304, "*": 304, "W/" + etag: 304, `"another", ` + etag: 304, `"another"`: 200} {
				response, body, _ := ask(t, "GET", path, http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {match}})
				if response.StatusCode != status || (status == 304 && (body != "" || response.Header.Get("ETag") != etag)) {
					t.Errorf("%s with If-None-Match: %s: got %d, %q, ETag %s, want %d", path, match, response.StatusCode, body, response.Header.Get("ETag"), status)
				}
			}
		}
	}
}

func TestAnAssetHasATypeThatBrowsersTake(t *testing.T) {
	for name, want := range map[string]string{
		"a.css": "text/css; charset=utf-8", "a.svg": "image/svg+xml", "a.js": "text/javascript; charset=utf-8", "a.png": "image/png", "LICENSE": "text/plain",
	} {
		response, _ := send(t, newAsset(name, []byte("export default 1")), httptest.NewRequest("GET", "/", nil))
		if got := response.Header.Get("Content-Type"); !strings.Contains(got, want) {
			t.Errorf("%s: got the content type %s, want %s", name, got, want)
		}
	}
}

func TestAnUnknownAssetIs404AndNoPathLeadsOutOfTheFolder(t *testing.T) {
	for _, path := range []string{
		"/assets/", "/assets/nope", "/assets/nope.css?v=0123456789ab", "/assets//style.css", "/assets/../web.go", "/assets/..%2fweb.go", "/assets/%2e%2e/web.go",
		"/assets/..%5cweb.go", "/assets/style.css/", "/assets/style.css%00", "/assets/index.html",
	} {
		if response, _, _ := ask(t, "GET", path, nil); response.StatusCode != 404 {
			t.Errorf("GET %s: got %d, want 404", path, response.StatusCode)
		}
	}
}

func TestAnAssetIsCompressedForClientsThatAcceptIt(t *testing.T) {
	content := strings.Repeat("a { color: red }\n", 999)
	stylesheet := newAsset("style.css", []byte(content))
	plain, _ := send(t, stylesheet, httptest.NewRequest("GET", "/", nil))
	for accepted, want := range map[string]bool{
		"": false, "gzip": true, "br\ngzip": true, "br, gzip;q=0.8": true, "GZIP": true, "identity": false, "gzip;q=0": false, "gzip ;\tq=0": false,
		"gzip; q=0.000": false, "gzip;q=1.0": true, "gzip;Q=0": false, "gzip;q=0.001": true, "gzip;q=much": false, "gzip;q": false, "gzipped": false, "*": false,
	} {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header["Accept-Encoding"] = strings.Split(accepted, "\n")
		response, body := send(t, stylesheet, request)
		if got := response.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding: %q: got compressed %t, want %t", accepted, got, want)
		}
		if response.Header.Get("Vary") != "Accept-Encoding" || response.Header.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("Accept-Encoding: %q: got %v", accepted, response.Header)
		}
		if !want {
			continue
		}
		reader, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, _ := io.ReadAll(reader); string(unpacked) != content || len(body) >= len(content) {
			t.Errorf("got %d bytes from %d, and %q unpacked", len(body), len(content), unpacked)
		}
		if response.Header.Get("ETag") == plain.Header.Get("ETag") {
			t.Error("both forms have the same ETag")
		}
	}
}

func TestARefusedConditionIsAWholeAnswer(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		response, body, _ := ask(t, "GET", "/", http.Header{"Accept-Encoding": {encoding}, "If-Match": {`"another"`}})
		if length := response.Header.Get("Content-Length"); response.StatusCode != 412 || (length != "" && length != strconv.Itoa(len(body))) {
			t.Errorf("%s: got %d, %v and %d bytes, want 412 and no other length", encoding, response.StatusCode, response.Header, len(body))
		}
	}
}
