package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The router lets little of this through; other platforms may not have one.
func TestBadInputIsAnsweredAndTheServerGoesOn(t *testing.T) {
	_, url, _ := start(t)
	const host = "Host: localhost\r\n"
	// RFC 9112 wants the connection closed after both lengths. net/http keeps it, and reads the next request where chunks end.
	requests := map[string]string{ // What is sent, and the status that comes back, with one more request after it on the same connection.
		"a header over the limit":             "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 64<<10+8192) + "\r\n\r\n => 431 closed",
		"a header below the limit":            "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n => 200",
		"a body over the limit":               "GET / HTTP/1.1\r\n" + host + "Content-Length: 9999999999\r\n\r\n => 413 closed",
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
		"hex that is none":                    "GET /%zz HTTP/1.1\r\n" + host + "\r\n => 400 closed",
	}
	for what, test := range requests {
		sent, want, _ := strings.Cut(test, " => ")
		conn := dial(t, url, sent)
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

	truncated := dial(t, url, "POST /version HTTP/1.1\r\n"+host+"Content-Length: 100\r\n\r\nhalf")
	truncated.(*net.TCPConn).CloseWrite()
	if response, err := http.ReadResponse(bufio.NewReader(truncated), nil); err != nil || response.StatusCode != 405 {
		t.Errorf("a truncated request: got %v, %v, want 405", response, err)
	}
	if status, _ := get(t, url+"/healthz"); status != 200 {
		t.Errorf("after all of that: got %d, want 200", status)
	}
}
