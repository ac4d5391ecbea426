package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"heroku-go-example/internal/heroku"
	"heroku-go-example/internal/logs"
)

// newServer returns a server and its log.
func newServer() (*Server, *bytes.Buffer) {
	var log bytes.Buffer
	return &Server{
		Log: slog.New(logs.Handler{Handler: slog.NewTextHandler(&log, nil)}),
		Version: func() (Version, error) {
			return Version{Go: "go1.99", Dyno: heroku.Dyno{App: "fern", Name: "web.1"}}, nil
		},
	}, &log
}

// send lets a handler answer a request.
func send(t *testing.T, handler http.Handler, request *http.Request) (*http.Response, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// ask sends one request to a new server and returns the answer and what was logged.
func ask(t *testing.T, method, target string, header http.Header) (*http.Response, string, string) {
	t.Helper()
	server, log := newServer()
	request := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	response, body := send(t, server.Handler(), request)
	return response, body, log.String()
}

func TestEveryRouteAnswersWithItsContent(t *testing.T) {
	for _, route := range []struct{ path, contentType, cache, content string }{
		{"/", "text/html; charset=utf-8", "no-cache", "<title>"},
		{"/healthz", "text/plain; charset=utf-8", "no-store", "ok\n"},
		{"/version", "application/json", "no-store", `"dyno": "web.1"`},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			response, body, _ := ask(t, method, route.path, nil)
			if response.StatusCode != 200 {
				t.Errorf("%s %s: got status %d, want 200", method, route.path, response.StatusCode)
			}
			if got := response.Header.Get("Content-Type"); got != route.contentType {
				t.Errorf("%s %s: got the content type %q, want %q", method, route.path, got, route.contentType)
			}
			if got := response.Header.Get("Cache-Control"); got != route.cache {
				t.Errorf("%s %s: got Cache-Control %q, want %q", method, route.path, got, route.cache)
			}
			if method == "GET" && !strings.Contains(body, route.content) {
				t.Errorf("GET %s: got %q, want it to hold %q", route.path, body, route.content)
			}
		}
	}
}

func TestAnUnknownPathIs404ForEveryMethod(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/nope", "/healthz/", "//", "//healthz", "/./healthz", "/index.html", "/%2e%2e/main.go"} {
			response, _, log := ask(t, method, path, nil)
			if response.StatusCode != 404 || response.Header.Get("X-Request-Id") == "" || !strings.Contains(log, "status=404") {
				t.Errorf("%s %s: got %d, %v, log %q, want a logged 404 with a request id", method, path, response.StatusCode, response.Header, log)
			}
		}
	}
}

func TestAnotherMethodIs405WhateverRoutesThereAre(t *testing.T) {
	handle := func(w http.ResponseWriter, r *http.Request) {}
	router := mux.NewRouter()
	router.NotFoundHandler = notServed(router)
	router.MethodNotAllowedHandler = router.NotFoundHandler
	router.HandleFunc("/version", handle).Methods("GET")
	api := router.PathPrefix("/api").Subrouter()
	api.HandleFunc("/items", handle).Methods("GET")
	api.HandleFunc("/items/{id}", handle).Methods("GET", "PUT")
	router.HandleFunc("/cache", handle).Methods("PURGE")
	host := router.Host("shop.example.com").Subrouter()
	host.HandleFunc("/cart", handle).Methods("POST")
	router.PathPrefix("/").Subrouter().HandleFunc("/last", handle).Methods("GET")
	for target, want := range map[string]string{
		"http://example.com/version":        "405 GET",
		"http://example.com/api/items":      "405 GET",
		"http://example.com/api/items/7":    "405 GET, PUT",
		"http://shop.example.com/cart":      "405 POST",
		"http://example.com/last":           "405 GET",
		"http://example.com/cache":          "405 PURGE",
		"http://example.com/cart":           "404 ",
		"http://example.com/api/items/7/x":  "404 ",
		"http://shop.example.com/nowhere/x": "404 ",
	} {
		response, _ := send(t, router, httptest.NewRequest("DELETE", target, nil))
		if got := fmt.Sprint(response.StatusCode, " ", response.Header.Get("Allow")); got != want {
			t.Errorf("DELETE %s: got %s, want %s", target, got, want)
		}
	}
}

func TestAnotherMethodIs405WithTheAllowedOnes(t *testing.T) {
	paths := []string{"/", "/healthz", "/version"}
	_, assets := loadAssets()
	for name := range assets {
		paths = append(paths, "/assets/"+name)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"} {
		for _, path := range paths {
			response, _, log := ask(t, method, path, nil)
			if response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d with Allow %q, want 405 with Allow GET, HEAD", method, path, response.StatusCode, response.Header.Get("Allow"))
			}
			if response.Header.Get("X-Request-Id") == "" || !strings.Contains(log, "status=405") {
				t.Errorf("%s %s: got %v, log %q, want a request id and a log line", method, path, response.Header, log)
			}
		}
	}
}

func TestAVersionThatCannotBeReadIs500AndOnlyTheLogSaysWhy(t *testing.T) {
	server, log := newServer()
	server.Version = func() (Version, error) { return Version{}, errors.New("no such executable") }
	response, body := send(t, server.Handler(), httptest.NewRequest("GET", "/version", nil))
	if response.StatusCode != 500 || strings.Contains(body, "no such executable") || !strings.Contains(log.String(), "no such executable") {
		t.Errorf("got %d, %q, log %s, want a 500 whose reason is in the log only", response.StatusCode, body, log)
	}
}

func TestAfterDrainRequestsAreStillAnsweredButHealthzIs503AndConnectionsEnd(t *testing.T) {
	server, _ := newServer()
	handler := server.Handler()
	for path, status := range map[string]int{"/healthz": 200, "/": 200, "/nope": 404} {
		response, _ := send(t, handler, httptest.NewRequest("GET", path, nil))
		if response.StatusCode != status || response.Header.Get("Connection") != "" {
			t.Errorf("before, %s: got %d, %v, want %d and the connection kept", path, response.StatusCode, response.Header, status)
		}
	}
	server.Drain()
	for path, status := range map[string]int{"/healthz": 503, "/": 200, "/nope": 404} {
		response, _ := send(t, handler, httptest.NewRequest("GET", path, nil))
		if response.StatusCode != status || response.Header.Get("Connection") != "close" {
			t.Errorf("after, %s: got %d, %v, want %d and the connection closed", path, response.StatusCode, response.Header, status)
		}
	}
}

func TestTheServerKeepsIdleConnectionsLongerThanTheRouter(t *testing.T) {
	server, _ := newServer()
	if got := server.HTTPServer().IdleTimeout; got <= 90*time.Second {
		t.Errorf("idle connections end after %v, want over the router's 90 s", got)
	}
}

func TestTheHTTPServersOwnErrorsAreLoggedLikeAllElse(t *testing.T) {
	server, log := newServer()
	server.HTTPServer().ErrorLog.Print("http: trouble")
	if want := `level=WARN msg="http: trouble"`; !strings.Contains(log.String(), want) {
		t.Errorf("got the log %s, want %s", log, want)
	}
}

// listen starts a server with all its limits on a free port and returns its address.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := (&Server{Log: slog.New(slog.DiscardHandler)}).HTTPServer()
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

// dial sends text to the address as it is.
func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The router lets little of this through; other platforms may not have one.
func TestBadInputIsAnsweredAndTheServerGoesOn(t *testing.T) {
	address := listen(t)
	const host = "Host: localhost\r\n"
	// RFC 9112 wants the connection closed after both lengths. net/http keeps it, and reads the next request where chunks end.
	requests := map[string]string{ // What is sent, and the status that comes back, with one more request after it on the same connection.
		"a header over the limit":             "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 64<<10+8192) + "\r\n\r\n => 431 closed",
		"a header below the limit":            "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n => 200",
		"a body over the limit":               "GET / HTTP/1.1\r\n" + host + "Content-Length: 9999999999\r\n\r\n => 200 closed",
		"both lengths":                        "POST /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n => 405",
		"two lengths":                         "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello => 400 closed",
		"a length that is no number":          "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello => 400 closed",
		"a chunk that has no length":          "POST /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n => 405 closed",
		"another transfer encoding":           "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n => 501 closed",
		"a bare CR in a value":                "GET / HTTP/1.1\r\n" + host + "X: a\rY: b\r\n\r\n => 400 closed",
		"a line that is folded":               "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n => 200",
		"a space before the colon":            "GET / HTTP/1.1\r\n" + host + "X : a\r\n\r\n => 400 closed",
		"no host":                             "GET / HTTP/1.1\r\n\r\n => 400 closed",
		"two hosts":                           "GET / HTTP/1.1\r\n" + host + host + "\r\n => 400 closed",
		"no HTTP":                             "hello\r\n\r\n => 400 closed",
		"HTTP/2":                              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n => 404 closed",
		"an unknown method":                   "BREW / HTTP/1.1\r\n" + host + "\r\n => 405",
		"dots":                                "GET /assets/../../main.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"dots in hex":                         "GET /assets/%2e%2e/%2E%2E/main.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"dots and slashes in hex":             "GET /assets/%2e%2e%2fweb.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"dots in hex in hex":                  "GET /assets/%252e%252e%252fweb.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"dots in overlong UTF-8":              "GET /assets/%c0%ae%c0%ae/web.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"backslashes":                         "GET /assets/..\\..\\web.go HTTP/1.1\r\n" + host + "\r\n => 404",
		"a zero byte in the path":             "GET /assets/style.css%00 HTTP/1.1\r\n" + host + "\r\n => 404",
		"a path that is no UTF-8":             "GET /%ff%fe HTTP/1.1\r\n" + host + "\r\n => 404",
		"bytes that are no UTF-8 in a header": "GET / HTTP/1.1\r\n" + host + "X-Request-Id: \xff\xfe0123456789012345678901\r\n\r\n => 200",
		"no path":                             "OPTIONS * HTTP/1.1\r\n" + host + "\r\n => 404",
		"a host and a port":                   "CONNECT localhost:80 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n => 404 closed",
		"hex that is none":                    "GET /%zz HTTP/1.1\r\n" + host + "\r\n => 400 closed",
	}
	for what, test := range requests {
		sent, want, _ := strings.Cut(test, " => ")
		conn := dial(t, address, sent)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		io.Copy(io.Discard, response.Body)
		got := fmt.Sprint(response.StatusCode)
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\n"+host+"\r\n")
		if next, err := http.ReadResponse(reader, nil); err != nil {
			got += " closed"
		} else if body, _ := io.ReadAll(next.Body); next.StatusCode != 200 || string(body) != "ok\n" {
			t.Errorf("%s: the next request on the connection is answered with %s %q", what, next.Status, body)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}

	truncated := dial(t, address, "POST /version HTTP/1.1\r\n"+host+"Content-Length: 100\r\n\r\nhalf")
	truncated.(*net.TCPConn).CloseWrite()
	if response, err := http.ReadResponse(bufio.NewReader(truncated), nil); err != nil || response.StatusCode != 405 {
		t.Errorf("a truncated request: got %v, %v, want 405", response, err)
	}
	if response, err := http.Get("http://" + address + "/healthz"); err != nil || response.StatusCode != 200 {
		t.Errorf("after all of that: got %v, %v, want 200", response, err)
	}
}

// Whatever a client sends, there is a valid answer with all headers.
func FuzzAnyRequestIsAnswered(f *testing.F) {
	f.Add("GET", "/", "Accept-Encoding", "gzip")
	f.Add("POST", "/assets/../..//%00", "X-Request-Id", "0123456789012345678901234567890")
	f.Add("OPTIONS", "*", "Range", "bytes=0-0,5-")
	f.Add("HEAD", "/version?x=%zz", "If-None-Match", `W/"`)
	version := func() (Version, error) { return ReadVersion(heroku.Dyno{}) }
	server := &Server{Log: slog.New(slog.DiscardHandler), Version: version, FromProxy: always}
	handler := server.Handler()
	f.Fuzz(func(t *testing.T, method, path, name, value string) {
		request, err := http.NewRequest(method, "http://example.com", nil)
		if err != nil {
			return
		}
		request.URL.Path = path
		request.Header[http.CanonicalHeaderKey(name)] = []string{value}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if http.StatusText(recorder.Code) == "" || recorder.Code == 500 {
			t.Errorf("got %d", recorder.Code)
		}
		for header := range securityHeaders {
			if recorder.Header().Get(header) == "" {
				t.Errorf("%d without %s", recorder.Code, header)
			}
		}
		if id := recorder.Header().Get("X-Request-Id"); !regexp.MustCompile(`^[A-Za-z0-9+/=-]{20,200}$`).MatchString(id) {
			t.Errorf("got the request id %q", id)
		}
	})
}

// What the page costs beside a handler that only writes it.
func BenchmarkThePage(b *testing.B) {
	page, _ := loadAssets()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page.plain)
	})
	server := &Server{Log: slog.New(logs.Handler{Handler: slog.NewTextHandler(io.Discard, nil)})}
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

func (d discard) Header() http.Header              { return d.header }
func (d discard) Write(b []byte) (int, error)      { return len(b), nil }
func (d discard) WriteHeader(int)                  {}
func (d discard) SetWriteDeadline(time.Time) error { return nil }
