package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// answer lets a new server's middleware answer a request by a handler, and returns the answer and what was logged.
func answer(t *testing.T, request *http.Request, handler http.HandlerFunc) (*http.Response, string, string) {
	t.Helper()
	server, log := newServer()
	server.FromProxy = always
	response, body := send(t, server.around(handler), request)
	return response, body, log.String()
}

func always(*http.Request) bool { return true }

// get is a request of / as the router sends it.
func get() *http.Request {
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("X-Forwarded-Proto", "https")
	return request
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	for status, handler := range map[int]http.HandlerFunc{
		200: func(w http.ResponseWriter, r *http.Request) {},
		404: http.NotFound,
		500: func(w http.ResponseWriter, r *http.Request) { panic("a bug") },
		308: nil,
	} {
		request := get()
		if status == 308 {
			request.Header.Set("X-Forwarded-Proto", "http")
		}
		response, _, _ := answer(t, request, handler)
		if response.StatusCode != status {
			t.Errorf("got %d, want %d", response.StatusCode, status)
		}
		for name, value := range securityHeaders {
			if got := response.Header[name]; len(got) != 1 || got[0] != value[0] {
				t.Errorf("%d: got %s: %q, want %q", status, name, got, value)
			}
		}
		if got := response.Header.Get("Strict-Transport-Security"); (got != "") != (status != 308) {
			t.Errorf("%d: got Strict-Transport-Security: %q, want it on HTTPS only", status, got)
		}
	}
	if policy := securityHeaders.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is not strict: %s", policy)
	}
}

func TestAHandlerOverridesTheHeaders(t *testing.T) {
	response, _, _ := answer(t, get(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "origin")
		w.Header().Del("X-Content-Type-Options")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("Too-Late", "yes")
	})
	if got := response.Header["Referrer-Policy"]; len(got) != 1 || got[0] != "origin" || response.StatusCode != http.StatusTeapot {
		t.Errorf("got %d, %v, want the handler's status and header", response.StatusCode, response.Header)
	}
	if response.Header.Get("X-Content-Type-Options") != "" || response.Header.Get("Too-Late") != "" {
		t.Errorf("got %v, want a header deleted, and none that is set too late", response.Header)
	}
	response, _, _ = answer(t, get(), http.NotFound)
	if got := response.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("the next answer has Referrer-Policy: %s, want the default", got)
	}
}

func TestPlainHTTPIsSentToHTTPSBehindAProxyOnly(t *testing.T) {
	for _, test := range []struct {
		fromProxy     bool
		proto, target string
		location      string // "" for an answer
	}{
		{true, "http", "/a%2fb?c=d", "https://example.com/a%2fb?c=d"},
		{true, "http", "//evil.example/", "https://example.com//evil.example/"},
		{true, "http", "/healthz", ""},
		{true, "https", "/", ""},
		{true, "", "/", ""}, // Not from the router: a health check from inside the container.
		{false, "http", "/", ""},
		{false, "https", "/", ""},
	} {
		server, _ := newServer()
		if test.fromProxy {
			server.FromProxy = always
		}
		request := httptest.NewRequest("POST", "http://example.com"+test.target, nil)
		request.Header.Set("X-Forwarded-Proto", test.proto)
		response, _ := send(t, server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})), request)
		if got := response.Header.Get("Location"); got != test.location || (response.StatusCode == 308) != (test.location != "") {
			t.Errorf("%+v: got %d and %q", test, response.StatusCode, got)
		}
		if got := response.Header.Get("Strict-Transport-Security"); (got != "") != (test.fromProxy && test.proto == "https") {
			t.Errorf("%+v: got Strict-Transport-Security: %q", test, got)
		}
	}
}

func TestAPanicIs500WithTheRequestIdAndTheLogSaysWhere(t *testing.T) {
	response, body, log := answer(t, get(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "session=halfway")
		w.Header().Set("Content-Security-Policy", "default-src *")
		panic("a bug")
	})
	id := response.Header.Get("X-Request-Id")
	if response.StatusCode != 500 || !strings.Contains(body, id) || strings.Contains(body, "a bug") {
		t.Errorf("got %d, %q, want a 500 with the id %s and without the reason", response.StatusCode, body, id)
	}
	if response.Header.Get("Content-Type") != "text/plain; charset=utf-8" || response.Header.Get("Set-Cookie") != "" ||
		response.Header.Get("Content-Security-Policy") != securityHeaders.Get("Content-Security-Policy") {
		t.Errorf("got %v, want none of the headers of the answer that it replaces", response.Header)
	}
	want := `level=ERROR msg="a handler panicked" reason="a bug" stack=".*middleware_test\.go:\d+.*" request_id=` + id + `\n.* status=500 `
	if !regexp.MustCompile(want).MatchString(log) {
		t.Errorf("got the log %s, want %s", log, want)
	}
}

func TestAHandlerThatAbortsOnPurposeIsNotLoggedAsAPanic(t *testing.T) {
	server, log := newServer()
	defer func() {
		if reason := recover(); reason != http.ErrAbortHandler {
			t.Errorf("net/http gets the panic %v, want ErrAbortHandler", reason)
		}
		if strings.Contains(log.String(), "panic") || !strings.Contains(log.String(), " status=0 ") {
			t.Errorf("got the log %s, want no word of a panic, and no status", log)
		}
	}()
	abort := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	server.around(abort).ServeHTTP(httptest.NewRecorder(), get())
}

func TestAPanicInTheMiddleOfAnAnswerEndsTheConnection(t *testing.T) {
	server, log := newServer()
	listening := httptest.NewServer(server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			io.WriteString(w, "half an ")
			w.(http.Flusher).Flush()
			panic("a bug")
		}
	})))
	response, err := http.Get(listening.URL + "/panic")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("got %q as a whole answer", body)
	}
	if response, err := http.Get(listening.URL); err != nil || response.StatusCode != 200 {
		t.Errorf("after a panic: got %v, %v, want 200", response, err)
	}
	listening.Close() // The log is written.
	if !strings.Contains(log.String(), "a handler panicked") || !strings.Contains(log.String(), " status=200 bytes=8 ") {
		t.Errorf("got the log %s, want the panic and what went out", log)
	}
}

func TestEachRequestIsOneLogLine(t *testing.T) {
	request := httptest.NewRequest("GET", "/path?token=secret", nil)
	request.Header.Set("X-Request-Id", "01234567-89ab-cdef-0123-456789abcdef")
	request.Header.Set("Cookie", "session=secret")
	request.Header.Set("Authorization", "Bearer secret")
	request.Header.Set("Referer", "https://example.com/?secret")
	_, _, log := answer(t, request, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "a teapot", http.StatusTeapot) })
	want := `^time=\S+ level=INFO msg=request method=GET path=/path status=418 bytes=9 duration=[\d.]+(ns|µs|ms|s) request_id=01234567-89ab-cdef-0123-456789abcdef\n$`
	if !regexp.MustCompile(want).MatchString(log) {
		t.Errorf("got the log %s, want one line like %s", log, want)
	}
	_, _, log = answer(t, httptest.NewRequest("HEAD", "/", nil), func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	if !strings.Contains(log, " status=200 bytes=0 ") {
		t.Errorf("got the log %s for HEAD, want status=200 bytes=0", log)
	}
}

func TestAProbeThatIsAnsweredWellIsLoggedAtLevelDebugOnly(t *testing.T) {
	for status, level := range map[int]string{200: "DEBUG", 503: "INFO"} {
		server, log := newServer()
		server.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		handler := server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		send(t, handler, httptest.NewRequest("GET", "/healthz", nil))
		if want := "level=" + level + " msg=request "; !strings.Contains(log.String(), want) {
			t.Errorf("%d: got the log %s, want %s", status, log, want)
		}
	}
}

func TestTheDurationHasAUnitInJSON(t *testing.T) {
	server, log := newServer()
	server.Log = slog.New(slog.NewJSONHandler(log, nil))
	send(t, server.around(http.HandlerFunc(http.NotFound)), get())
	var line struct{ Duration string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || !regexp.MustCompile(`^[\d.]+(ns|µs|ms|s)$`).MatchString(line.Duration) {
		t.Errorf("got %s, %v, want a duration with its unit", log, err)
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
	for _, id := range []string{"", "short", strings.Repeat("x", 201), "0123456789012345678 level=ERROR", "01234567890123456789\n", "0123456789012345678é", "0123456789_0123456789"} {
		response, _, log := ask(t, "GET", "/nope", http.Header{"X-Request-Id": {id}})
		got := response.Header.Get("X-Request-Id")
		if got == id || len(got) < 20 || !strings.HasSuffix(log, "request_id="+got+"\n") {
			t.Errorf("request id %q: got %q in the answer and the log %q, want a new one in both", id, got, log)
		}
	}
}

func TestAHandlersLogLinesHaveTheRequestId(t *testing.T) {
	server, log := newServer()
	response, _ := send(t, server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.Log.With("k", "v").WithGroup("g").InfoContext(r.Context(), "hello", "a", 1)
		server.Log.Info("nobody's")
	})), get())
	id := response.Header.Get("X-Request-Id")
	lines := strings.Split(log.String(), "\n")
	if !strings.Contains(lines[0], "msg=hello k=v g.a=1 g.request_id="+id) || strings.Contains(lines[1], "request_id") || !strings.Contains(lines[2], " request_id="+id) {
		t.Errorf("got the log %s, want the id %s", log, id)
	}
}

func TestAHandlerThatHeedsItsContextIs503BeforeTheRouterGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		var cause error
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "session=halfway")
			<-r.Context().Done()
			cause = context.Cause(r.Context())
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\r\n")
		response := c.read()
		if response.StatusCode != 503 || c.elapsed() != requestTimeout {
			t.Errorf("got %d after %v, want 503 after %v", response.StatusCode, c.elapsed(), requestTimeout)
		}
		if response.Header.Get("Set-Cookie") != "" || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("got %v, want the server's own headers", response.Header)
		}
		if log := c.logged(); cause != errTimeout || !strings.Contains(log, "a handler took too long") || !strings.Contains(log, "status=503") {
			t.Errorf("the handler sees %v, the log says %s", cause, log)
		}
	})
}

func TestAHandlerHasItsTimeFromTheEndOfTheBodyOn(t *testing.T) {
	const seconds = 40
	for name, header := range map[string]string{
		"a length": fmt.Sprintf("Content-Length: %d\r\n\r\n", seconds),
		"chunks":   "Transfer-Encoding: chunked\r\n\r\n",
	} {
		inBubble(t, func(t *testing.T, c *client) {
			c.handler = func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); len(body) != seconds || err != nil || r.Context().Err() != nil {
					t.Errorf("%s: got %d bytes, %v, %v, want all of the body", name, len(body), err, r.Context().Err())
				}
				<-r.Context().Done()
			}
			c.send("POST / HTTP/1.1\r\nHost: localhost\r\n" + header)
			for range seconds {
				c.sleep(1)
				if name == "chunks" {
					c.send("1\r\nx\r\n")
				} else {
					c.send("x")
				}
			}
			if name == "chunks" {
				c.send("0\r\n\r\n")
			}
			if response := c.read(); response.StatusCode != 503 || c.elapsed() != seconds*second+requestTimeout {
				t.Errorf("%s: got %d after %v, want 503 after %v", name, response.StatusCode, c.elapsed(), seconds*second+requestTimeout)
			}
		})
	}
}

func TestAHandlerThatDoesNotReadTheBodyHasItsTimeFromTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
		if response := c.read(); response.StatusCode != 503 || c.elapsed() != requestTimeout {
			t.Errorf("got %d after %v, want 503 after %v", response.StatusCode, c.elapsed(), requestTimeout)
		}
	})
}

func TestAnAnswerThatHasBegunHasNoLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				if _, err := io.WriteString(w, "."); err != nil || r.Context().Err() != nil {
					t.Errorf("got %v, %v in the middle of a stream", err, r.Context().Err())
				}
				w.(http.Flusher).Flush()
				c.sleep(60)
			}
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if body, err := io.ReadAll(c.read().Body); err != nil || string(body) != ".........." {
			t.Errorf("got %q, %v, want the whole stream", body, err)
		}
	})
}

func TestAnAnswerThatIsOnlyFlushedHasBegun(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			c.sleep(60)
			io.WriteString(w, fmt.Sprint(r.Context().Err()))
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if body, err := io.ReadAll(c.read().Body); err != nil || string(body) != "<nil>" {
			t.Errorf("got %q, %v, want no error of the context", body, err)
		}
	})
}

func TestAHandlerThatIgnoresItsContextMayStillAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			c.sleep(29)
			io.WriteString(w, "late")
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response := c.read()
		if body, err := io.ReadAll(response.Body); response.StatusCode != 200 || string(body) != "late" {
			t.Errorf("got %d, %q, %v, want the handler's answer", response.StatusCode, body, err)
		}
	})
}
