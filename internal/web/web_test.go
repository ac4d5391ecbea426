package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ask sends one request to the whole handler and returns the answer and what was logged.
func ask(t *testing.T, method, target string, header http.Header) (*http.Response, string, string) {
	t.Helper()
	return askServer(t, new(Server), method, target, header)
}

// askServer gives the server a log and, if it has none, a version.
func askServer(t *testing.T, server *Server, method, target string, header http.Header) (*http.Response, string, string) {
	t.Helper()
	var log bytes.Buffer
	server.Log = slog.New(LogHandler{Handler: slog.NewTextHandler(&log, nil)})
	if server.Version == nil {
		server.Version = func() (Version, error) { return Version{Go: "go1.99", App: "fern", Dyno: "web.1"}, nil }
	}
	request := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	server.Handler().ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body), log.String()
}

func TestEveryRouteAnswersWithItsContent(t *testing.T) {
	for _, test := range []struct{ path, contentType, cache, content string }{
		{"/", "text/html; charset=utf-8", "no-cache", "<title>"},
		{"/healthz", "text/plain; charset=utf-8", "no-store", "ok\n"},
		{"/version", "application/json", "no-store", `"dyno": "web.1"`},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			response, body, _ := ask(t, method, test.path, nil)
			if response.StatusCode != 200 {
				t.Errorf("%s %s: got status %d, want 200", method, test.path, response.StatusCode)
			}
			if got := response.Header.Get("Content-Type"); got != test.contentType {
				t.Errorf("%s %s: got the content type %q, want %q", method, test.path, got, test.contentType)
			}
			if got := response.Header.Get("Cache-Control"); got != test.cache {
				t.Errorf("%s %s: got Cache-Control %q, want %q", method, test.path, got, test.cache)
			}
			if method == "GET" && !strings.Contains(body, test.content) {
				t.Errorf("GET %s: got %q, want it to hold %q", test.path, body, test.content)
			}
		}
	}
}

// assetsByPath returns the files in assets/, which may be other ones tomorrow.
func assetsByPath(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	_, all := loadAssets()
	for name := range all {
		if content, err := embedded.ReadFile("assets/" + name); err == nil { // There is none with a hash in its name.
			files[(&url.URL{Path: "/assets/" + name}).String()] = string(content)
		}
	}
	return files
}

func TestEveryFileInTheFolderIsServed(t *testing.T) {
	for path, want := range assetsByPath(t) {
		response, got, _ := ask(t, "GET", path, nil)
		if response.StatusCode != 200 || got != want || response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("GET %s: got %d, %v and %d bytes, want the file, and no-cache", path, response.StatusCode, response.Header, len(got))
		}
		if response, _, _ = ask(t, "HEAD", path, nil); response.StatusCode != 200 || response.Header.Get("Content-Length") != strconv.Itoa(len(want)) {
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

func TestAnAssetThatTheClientHasIsNotSentAgain(t *testing.T) {
	etags := make(map[string]string)
	for _, path := range append(slices.Collect(maps.Keys(assetsByPath(t))), "/") {
		response, content, _ := ask(t, "GET", path, nil)
		etag := response.Header.Get("ETag")
		if other, taken := etags[etag]; taken && other != content {
			t.Errorf("%s has the ETag %s of another content", path, etag)
		}
		etags[etag] = content

		response, body, _ := ask(t, "GET", path, http.Header{"If-None-Match": {etag}})
		if response.StatusCode != 304 || body != "" || response.Header.Get("ETag") != etag {
			t.Errorf("%s with its own ETag: got %d, %q, ETag %s, want an empty 304 with the ETag %s",
				path, response.StatusCode, body, response.Header.Get("ETag"), etag)
		}
		for _, match := range [][]string{{"*"}, {"W/" + etag}, {`"another"`, etag}} {
			if response, _, _ = ask(t, "GET", path, http.Header{"If-None-Match": match}); response.StatusCode != 304 {
				t.Errorf("%s with If-None-Match: %q: got %d, want 304", path, match, response.StatusCode)
			}
		}
		response, _, _ = ask(t, "GET", path, http.Header{"If-None-Match": {`"another"`}})
		if response.StatusCode != 200 {
			t.Errorf("%s with another ETag: got %d, want 200", path, response.StatusCode)
		}
	}
}

func TestAPageOfAnotherReleaseGetsTheAssetsOfThisOne(t *testing.T) {
	for today, want := range assetsByPath(t) {
		ext := path.Ext(today)
		other := strings.TrimSuffix(today, ext) + ".0123456789ab" + ext
		response, got, _ := ask(t, "GET", other, nil)
		if response.StatusCode != 200 || got != want || response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("GET %s: got %d, %v, want today's file, not to be kept under that name", other, response.StatusCode, response.Header)
		}
	}
	if response, _, _ := ask(t, "GET", "/assets/nope.0123456789ab.css", nil); response.StatusCode != 404 {
		t.Errorf("got %d, want 404", response.StatusCode)
	}
}

func TestAnAssetHasATypeThatBrowsersTake(t *testing.T) {
	for name, want := range map[string]string{
		"a.css": "text/css; charset=utf-8", "a.svg": "image/svg+xml", "a.js": "text/javascript; charset=utf-8", "a.mjs": "javascript", "a.json": "json", "a.png": "image/png", "a.wasm": "application/wasm", "LICENSE": "text/plain",
	} {
		if got := newAsset(name, "", []byte("export default 1")).plain.header.Get("Content-Type"); !strings.Contains(got, want) {
			t.Errorf("%s: got the content type %s, want %s", name, got, want)
		}
	}
}

func TestAnUnknownPathIs404ForEveryMethod(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/nope", "/healthz/", "//", "//healthz", "/./healthz", "/index.html", "/%2e%2e/main.go"} {
			response, _, log := ask(t, method, path, nil)
			if response.StatusCode != 404 || response.Header.Get("X-Request-Id") == "" || !strings.Contains(log, "status=404") {
				t.Errorf("%s %s: got %d, %v, log %q, want a logged 404 with a request id",
					method, path, response.StatusCode, response.Header, log)
			}
		}
	}
}

func TestAnUnknownAssetIs404AndNoPathLeadsOutOfTheFolder(t *testing.T) {
	for _, path := range []string{
		"/assets/", "/assets/nope", "/assets//style.css", "/assets/../web.go", "/assets/..%2fweb.go", "/assets/%2e%2e/web.go",
		"/assets/..%5cweb.go", "/assets/style.css/", "/assets/style.css%00",
	} {
		if response, _, _ := ask(t, "GET", path, nil); response.StatusCode != 404 {
			t.Errorf("GET %s: got %d, want 404", path, response.StatusCode)
		}
	}
}

func TestAnotherMethodIs405WithTheAllowedOnes(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
		for _, path := range []string{"/", "/assets/any", "/healthz", "/version"} {
			response, _, log := ask(t, method, path, nil)
			if response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d with Allow %q, want 405 with Allow GET, HEAD",
					method, path, response.StatusCode, response.Header.Get("Allow"))
			}
			if response.Header.Get("X-Request-Id") == "" || !strings.Contains(log, "status=405") {
				t.Errorf("%s %s: got %v, log %q, want a request id and a log line", method, path, response.Header, log)
			}
		}
	}
}

func TestEachRequestIsOneLogLine(t *testing.T) {
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	response, body, log := ask(t, "GET", "/version?token=secret", http.Header{"X-Request-Id": {id}})
	want := fmt.Sprintf(`level=INFO msg=request method=GET path=/version status=200 bytes=%d duration=\S+ request_id=%s\n$`, len(body), id)
	if !regexp.MustCompile(want).MatchString(log) || strings.Count(log, "\n") != 1 {
		t.Errorf("got the log %q, want one line like %q", log, want)
	}
	if strings.Contains(log, "secret") {
		t.Errorf("the log holds the query: %q", log)
	}
	if got := response.Header.Get("X-Request-Id"); got != id {
		t.Errorf("got the request id %q in the answer, want the router's %q", got, id)
	}
	if _, _, log := ask(t, "HEAD", "/version", nil); !strings.Contains(log, " bytes=0 ") {
		t.Errorf("got the log %q for HEAD, want bytes=0", log)
	}
}

func TestARequestIdOfTheRoutersFormIsKept(t *testing.T) {
	for _, id := range []string{strings.Repeat("x", 20), strings.Repeat("x", 200), "AZaz09+/=-AZaz09+/=-"} {
		if response, _, _ := ask(t, "GET", "/healthz", http.Header{"X-Request-Id": {id}}); response.Header.Get("X-Request-Id") != id {
			t.Errorf("request id %q: got %q", id, response.Header.Get("X-Request-Id"))
		}
	}
}

func TestARequestIdThatTheRouterWouldNotSendIsReplaced(t *testing.T) {
	for _, id := range []string{"", "short", strings.Repeat("x", 201), "0123456789012345678 level=ERROR", "01234567890123456789\n"} {
		response, _, log := ask(t, "GET", "/healthz", http.Header{"X-Request-Id": {id}})
		got := response.Header.Get("X-Request-Id")
		if got == id || len(got) < 20 || !strings.HasSuffix(log, "request_id="+got+"\n") {
			t.Errorf("request id %q: got %q in the answer and the log %q, want a new one in both", id, got, log)
		}
	}
}

func TestAVersionThatCannotBeReadIs500AndTheReasonIsLoggedOnly(t *testing.T) {
	broken := &Server{Version: func() (Version, error) { return Version{}, errors.New("no such executable") }}
	response, body, log := askServer(t, broken, "GET", "/version", nil)
	if response.StatusCode != 500 || strings.Contains(body, "no such executable") || !strings.Contains(log, "no such executable") {
		t.Errorf("got %d, %q, log %q, want a 500 whose reason is in the log only", response.StatusCode, body, log)
	}
}

// What the page costs beside a handler that does nothing else than write it.
func BenchmarkThePage(b *testing.B) {
	page, _ := loadAssets()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page.plain.content)
	})
	server := &Server{Log: slog.New(LogHandler{Handler: slog.NewTextHandler(io.Discard, nil)})}
	for name, handler := range map[string]http.Handler{"bare": bare, "server": server.Handler()} {
		b.Run(name, func(b *testing.B) {
			request := httptest.NewRequest("GET", "/", nil)
			request.Header.Set("X-Request-Id", "01234567-89ab-cdef-0123-456789abcdef")
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(discard{make(http.Header)}, request)
			}
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
