package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serve lets the whole middleware answer one request of a handler, and returns the answer and what was logged.
func serve(s *Server, request *http.Request, handler http.HandlerFunc) (*httptest.ResponseRecorder, string) {
	var log bytes.Buffer
	s.Log = slog.New(LogHandler{Handler: slog.NewTextHandler(&log, nil)})
	recorder := httptest.NewRecorder()
	s.around(handler).ServeHTTP(recorder, request)
	return recorder, log.String()
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	handlers := map[int]http.HandlerFunc{
		200: func(w http.ResponseWriter, r *http.Request) {},
		404: notFound,
		500: func(w http.ResponseWriter, r *http.Request) { panic("a bug") },
		413: func(w http.ResponseWriter, r *http.Request) {},
		308: func(w http.ResponseWriter, r *http.Request) {},
	}
	for status, handler := range handlers {
		request := httptest.NewRequest("POST", "/", nil)
		request.Header.Set("X-Forwarded-Proto", "https")
		switch status {
		case 413:
			request.ContentLength = maxBodyBytes + 1
		case 308:
			request.Header.Set("X-Forwarded-Proto", "http")
		}
		recorder, _ := serve(&Server{BehindRouter: true}, request, handler)
		if recorder.Code != status {
			t.Errorf("got %d, want %d", recorder.Code, status)
		}
		for name, value := range securityHeaders {
			if got := recorder.Header()[name]; len(got) != 1 || got[0] != value[0] {
				t.Errorf("%d: got %s: %q, want %q", status, name, got, value)
			}
		}
		if got := recorder.Header().Get("Strict-Transport-Security"); (got != "") != (status != 308) {
			t.Errorf("%d: got Strict-Transport-Security: %q, want it on HTTPS only", status, got)
		}
	}
	if policy := securityHeaders.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is not strict: %s", policy)
	}
}

func TestAHandlerSetsItsOwnHeadersInPlaceOfOurs(t *testing.T) {
	recorder, _ := serve(new(Server), httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "origin")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("Too-Late", "yes")
	})
	header := recorder.Result().Header
	if got := header["Referrer-Policy"]; len(got) != 1 || got[0] != "origin" || recorder.Code != http.StatusTeapot || header.Get("Too-Late") != "" {
		t.Errorf("got %d, %v, want the handler's status and header", recorder.Code, header)
	}
}

func TestWithoutARouterThatCanBeTrustedNobodyIsHeldToHTTPS(t *testing.T) {
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("X-Forwarded-Proto", "https")
	recorder, _ := serve(new(Server), request, func(w http.ResponseWriter, r *http.Request) {})
	if got := recorder.Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("got Strict-Transport-Security: %s", got)
	}
}

func TestPlainHTTPIsSentToHTTPSBehindTheRouterOnly(t *testing.T) {
	for _, test := range []struct {
		behindRouter  bool
		proto, target string
		want          string // the Location, "" for an answer
	}{
		{true, "http", "/a%2fb?c=d", "https://example.com/a%2fb?c=d"},
		{true, "http", "//evil.example/", "https://example.com//evil.example/"},
		{true, "http", "/healthz", ""},
		{true, "https", "/", ""},
		{true, "", "/", ""}, // Not from the router: a health check from inside the container.
		{false, "http", "/", ""},
	} {
		request := httptest.NewRequest("POST", "http://example.com"+test.target, nil)
		request.Header.Set("X-Forwarded-Proto", test.proto)
		recorder, _ := serve(&Server{BehindRouter: test.behindRouter}, request, func(w http.ResponseWriter, r *http.Request) {})
		location := recorder.Header().Get("Location")
		if location != test.want || (recorder.Code == 308) != (test.want != "") {
			t.Errorf("%+v: got %d and %q", test, recorder.Code, location)
		}
	}
}

func TestAPanicIs500WithTheRequestIdAndTheLogSaysWhere(t *testing.T) {
	recorder, log := serve(new(Server), httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=31536000")
		w.Header().Set("Set-Cookie", "session=halfway")
		w.Header().Set("Content-Security-Policy", "default-src *")
		panic("a bug")
	})
	for name := range recorder.Header() {
		if securityHeaders[name] == nil && name != "Content-Type" && name != "X-Request-Id" {
			t.Errorf("the 500 has the header %s of the answer that it replaces", name)
		}
	}
	if got := recorder.Header().Get("Content-Security-Policy"); got != securityHeaders.Get("Content-Security-Policy") {
		t.Errorf("the 500 has the policy %q, want the server's own", got)
	}
	id := recorder.Header().Get("X-Request-Id")
	if recorder.Code != 500 || !strings.Contains(recorder.Body.String(), id) || strings.Contains(recorder.Body.String(), "a bug") ||
		recorder.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("got %d, %v, %q, want a 500 with the id %s alone", recorder.Code, recorder.Header(), recorder.Body, id)
	}
	if want := `level=ERROR msg="a handler panicked" reason="a bug" stack=".*middleware_test\.go:\d+.*" request_id=` + id + `\n.* status=500 `; !regexp.MustCompile(want).MatchString(log) {
		t.Errorf("got the log %s, want %s", log, want)
	}
}

func TestAHandlerThatAbortsOnPurposeIsNotLoggedAsAPanic(t *testing.T) {
	var log bytes.Buffer
	server := &Server{Log: slog.New(slog.NewTextHandler(&log, nil))}
	defer func() {
		if reason := recover(); reason != http.ErrAbortHandler || strings.Contains(log.String(), "panic") || !strings.Contains(log.String(), " status=0 ") {
			t.Errorf("got the panic %v for net/http and the log %s, want ErrAbortHandler, no word of a panic, and no status", reason, &log)
		}
	}()
	server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestAPanicInTheMiddleOfAnAnswerEndsTheConnection(t *testing.T) {
	server := &Server{Log: slog.New(slog.DiscardHandler)}
	listening := httptest.NewServer(server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			io.WriteString(w, "half an ")
			http.NewResponseController(w).Flush()
			panic("a bug")
		}
	})))
	defer listening.Close()
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
}

// pipes is a listener whose connections are in memory, for tests with a clock of their own.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error   { close(p); return nil }

func TestARequestThatTakesTooLongIs503BeforeTheRouterGivesUp(t *testing.T) {
	for _, body := range []string{"", "half a body"} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			var cause, writeErr error
			s := &Server{Log: slog.New(LogHandler{Handler: slog.NewTextHandler(&log, nil)}), BehindRouter: true}
			handler := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				cause = context.Cause(r.Context())
				w.Header().Set("Content-Length", "9999")
				_, writeErr = io.WriteString(w, "nobody waits for this any more")
			}
			var answer []byte
			var err error
			start := time.Now()
			var took time.Duration
			inMemory(s, handler, func(conn net.Conn) {
				fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\nContent-Length: %d\r\n\r\n%s", 2*len(body), body)
				answer, err = io.ReadAll(conn) // To the end of the connection, which comes a little later.
				took = time.Since(start) - 500*time.Millisecond
			})
			if err != nil || took != requestTimeout || took >= 30*time.Second {
				t.Errorf("got %v after %v, want an answer after %v", err, took, requestTimeout)
			}
			response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
			if err != nil || response.StatusCode != 503 || !response.Close || response.Header.Get("X-Content-Type-Options") != "nosniff" ||
				response.Header.Get("Strict-Transport-Security") == "" || !strings.Contains(log.String(), "request_id="+response.Header.Get("X-Request-Id")+"\n") ||
				!strings.HasSuffix(string(answer), "\r\n\r\n503 this took too long\n") {
				t.Errorf("got %v and %q, want a 503 that closes the connection", err, answer)
			}
			if cause != errTimeout || writeErr != http.ErrHandlerTimeout || !strings.Contains(log.String(), "status=503") || !strings.Contains(log.String(), "a handler takes too long") {
				t.Errorf("the handler sees %v and %v, the log says %s", cause, writeErr, &log)
			}
		})
	}
}

// inMemory runs the server on a connection in memory, whose other end the client has. Call it in a synctest bubble.
func inMemory(s *Server, handler http.HandlerFunc, client func(conn net.Conn)) {
	listener := make(pipes)
	server := s.HTTPServer()
	server.Handler = s.around(handler)
	go server.Serve(listener)
	ours, theirs := net.Pipe()
	listener <- theirs
	defer func() {
		ours.Close()
		synctest.Wait()
		server.Close()
	}()
	client(ours)
}

func TestAStreamMayGoOnForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				if _, err := io.WriteString(w, "."); err != nil || r.Context().Err() != nil {
					t.Errorf("got %v, %v in the middle of a stream", err, r.Context().Err())
				}
				w.(http.Flusher).Flush()
				time.Sleep(writeTimeout - time.Second)
			}
		}
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, stream, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != ".........." {
				t.Errorf("got %q, %v, want the whole stream", body, err)
			}
		})
	})
}

func TestAnAnswerThatHasBegunGoesOutBeforeTheRouterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half an ")
			time.Sleep(time.Minute)
			io.WriteString(w, "answer")
		}, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if took := time.Since(start); err != nil || took > requestTimeout {
				t.Fatalf("got %v after %v, want the answer to begin after %v at most", err, took, requestTimeout)
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != "half an answer" {
				t.Errorf("got %q, %v, want the whole answer", body, err)
			}
		})
	})
}

func TestAnAnswerIsNotLostWhenItsHandlerReturnsLongAfterTheLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			io.WriteString(w, "hello")
			time.Sleep(2 * writeTimeout)
		}, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != "hello" {
				t.Errorf("got %q, %v, want the whole answer", body, err)
			}
		})
	})
}

func TestAnAnswerThatHasBegunGoesOutWhileItsHandlerStillReads(t *testing.T) {
	const parts = 40
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(start.Add(time.Hour))
			io.WriteString(w, "got ")
			body, err := io.ReadAll(r.Body)
			fmt.Fprint(w, len(body), " ", err)
		}, func(conn net.Conn) {
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", parts)
			go func() {
				for range parts {
					time.Sleep(time.Second)
					io.WriteString(conn, "x")
				}
			}()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if took := time.Since(start); err != nil || took > requestTimeout {
				t.Fatalf("got %v after %v, want the answer to begin after %v at most", err, took, requestTimeout)
			}
			if body, err := io.ReadAll(response.Body); string(body) != fmt.Sprint("got ", parts, " <nil>") {
				t.Errorf("got %q, %v, want the handler to read all of the body", body, err)
			}
		})
	})
}

func TestASlowClientGetsAllOfALargeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 20 * partBytes
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {
			if n, err := w.Write(make([]byte, size)); n != size || err != nil {
				t.Errorf("Write: got %d, %v, want %d", n, err, size)
			}
		}, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			for {
				n, err := io.ReadFull(response.Body, make([]byte, partBytes/2))
				got += n
				if err != nil {
					break
				}
				time.Sleep(writeTimeout / 3)
			}
			if got != size {
				t.Errorf("got %d bytes, want %d", got, size)
			}
		})
	})
}

// A timer that is used again too early would answer the next request.
func TestATimeoutDoesNotReachALaterRequest(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			server := &Server{Log: slog.New(slog.DiscardHandler)}
			handler := server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(requestTimeout)
				}
			}))
			for range 4 {
				go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/slow", nil))
			}
			time.Sleep(requestTimeout)
			for range 20 {
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
				if recorder.Code != 200 {
					t.Errorf("got %d, want 200", recorder.Code)
				}
			}
		})
	}
}

func TestAnAnswerCanComeAfterEarlyHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &Server{Log: slog.New(slog.DiscardHandler)}
		server.Drain() // Which closes the connection after the answer, not after the hints.
		inMemory(server, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</assets/style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			http.Error(w, "a teapot", http.StatusTeapot)
		}, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			reader := bufio.NewReader(conn)
			for _, want := range []int{103, 418} {
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != want || response.Close != (want == 418) {
					t.Errorf("got %+v, %v, want %d", response, err, want)
				}
			}
		})
	})
}

func TestAClientThatSendsOrTakesNothingIsHungUpOn(t *testing.T) {
	for what, test := range map[string]struct {
		request string
		most    time.Duration
		want    string
	}{
		"half a header": {"GET / HT", readHeaderTimeout, ""},
		"half a body":   {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", readTimeout, "HTTP/1.1 200 OK"},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {}, func(conn net.Conn) {
				io.WriteString(conn, test.request)
				answer, _ := io.ReadAll(conn)
				if took := time.Since(start); took > test.most+time.Second || !strings.HasPrefix(string(answer), test.want) {
					t.Errorf("%s: got %q after %v, want %q after %v at most", what, answer, took, test.want, test.most)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		start, failed := time.Now(), make(chan error, 1)
		inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					failed <- err
					return
				}
			}
		}, func(conn net.Conn) {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if err := <-failed; time.Since(start) > writeTimeout+time.Second {
				t.Errorf("a client that takes nothing is given up with %v after %v, want %v at most", err, time.Since(start), writeTimeout)
			}
		})
	})
}

func TestATimeoutAndAnAnswerInTheSameMomentAreOneAnswerAtMost(t *testing.T) {
	for i := range 500 {
		abort := i%2 == 1
		synctest.Test(t, func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(requestTimeout)
				w.Header().Set("X", "y")
				if abort {
					panic(http.ErrAbortHandler)
				}
			}
			inMemory(&Server{Log: slog.New(slog.DiscardHandler)}, handler, func(conn net.Conn) {
				io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				answer, _ := io.ReadAll(conn)
				got := string(answer)
				if whole := strings.Count(got, "HTTP/1.1 ") == 1 && strings.HasSuffix(got, "\r\n\r\n"); !whole && (got != "" || !abort) {
					t.Errorf("got %q, want one answer without a body", got)
				}
			})
		})
	}
}

func TestABodyHasALimit(t *testing.T) {
	for _, size := range []int{maxBodyBytes, maxBodyBytes + 1} {
		for _, chunked := range []bool{false, true} {
			request := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", size)))
			if chunked {
				request.ContentLength = -1
			}
			var read int64
			recorder, _ := serve(new(Server), request, func(w http.ResponseWriter, r *http.Request) {
				var err error
				if read, err = io.Copy(io.Discard, r.Body); err != nil {
					http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
				}
			})
			want := 200
			if size > maxBodyBytes {
				want = 413
			}
			if recorder.Code != want || read > maxBodyBytes {
				t.Errorf("%d bytes, chunked %t: got %d and %d bytes, want %d", size, chunked, recorder.Code, read, want)
			}
		}
	}
}

func TestAWhileAfterDrainRequestsAreStillAnsweredAndConnectionsEnd(t *testing.T) {
	server := new(Server)
	for _, draining := range []bool{false, true} {
		if draining {
			server.Drain()
		}
		for path, want := range map[string]int{"/healthz": 200, "/": 200, "/nope": 404} {
			if draining && path == "/healthz" {
				want = 503
			}
			response, _, _ := askServer(t, server, "GET", path, nil)
			if response.StatusCode != want || (response.Header.Get("Connection") == "close") != draining {
				t.Errorf("draining %t, %s: got %d, %v, want %d", draining, path, response.StatusCode, response.Header, want)
			}
		}
	}
}

func TestARequestInFlightThatIsAnsweredAfterDrainEndsItsConnection(t *testing.T) {
	s := new(Server)
	for _, write := range []bool{false, true} {
		recorder, _ := serve(s, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
			s.Drain()
			if write {
				io.WriteString(w, "hello")
			}
		})
		if recorder.Header().Get("Connection") != "close" {
			t.Errorf("writes %t: got %v, want the connection closed", write, recorder.Header())
		}
	}
}

func TestTheServerOutlastsTheRoutersIdleConnections(t *testing.T) {
	if server := (&Server{Log: slog.New(slog.DiscardHandler)}).HTTPServer(); server.IdleTimeout <= 90*time.Second {
		t.Errorf("idle connections end after %v, want over the router's 90 s", server.IdleTimeout)
	}
}

func TestAHandlersLogLinesHaveTheRequestId(t *testing.T) {
	s := new(Server)
	recorder, log := serve(s, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) {
		s.Log.With("k", "v").WithGroup("g").InfoContext(r.Context(), "hello", "a", 1)
		s.Log.Info("nobody's")
	})
	id := recorder.Header().Get("X-Request-Id")
	lines := strings.Split(log, "\n")
	if !strings.Contains(lines[0], "msg=hello k=v g.a=1 g.request_id="+id) || strings.Contains(lines[1], "request_id") || !strings.Contains(lines[2], " request_id="+id) {
		t.Errorf("got the log %s, want the id %s", log, id)
	}
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	request := httptest.NewRequest("GET", "/path?token=secret", nil)
	request.Header = http.Header{"Cookie": {"session=secret"}, "Authorization": {"Bearer secret"}, "Referer": {"https://example.com/?secret"}}
	if _, log := serve(new(Server), request, func(w http.ResponseWriter, r *http.Request) { panic("a bug") }); strings.Contains(log, "secret") {
		t.Errorf("got the log %s", log)
	}
}

func TestTheLogIsForLogplexOnHerokuAndJSONOnDemand(t *testing.T) {
	var log bytes.Buffer
	slog.New(LogHandler{Handler: slog.NewTextHandler(&log, nil), WithoutTime: true}).Info("hello", "a", "b c")
	if log.String() != "level=INFO msg=hello a=\"b c\"\n" {
		t.Errorf("got %q, want no time", &log)
	}
	log.Reset()
	slog.New(LogHandler{Handler: slog.NewJSONHandler(&log, nil)}).Info("hello", "a", "b c")
	var line struct{ Time, Level, Msg, A string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Time == "" || line.A != "b c" {
		t.Errorf("got %q, %v", &log, err)
	}
}

// WebSocket libraries write the status by WriteHeader or by themselves, and use the connection after the handler.
func TestAConnectionCanBeHijackedAndIsThenTheHandlersAlone(t *testing.T) {
	for _, writeHeader := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := &Server{Log: slog.New(slog.NewTextHandler(&log, nil))}
			s.Drain() // Which must not make it "Connection: close".
			inMemory(s, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Connection"] = []string{"Upgrade"}
				if writeHeader {
					w.WriteHeader(http.StatusSwitchingProtocols)
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				if !writeHeader {
					io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n")
				}
				go func() {
					time.Sleep(2 * writeTimeout)
					io.WriteString(conn, "hello")
					conn.Close()
				}()
				time.Sleep(requestTimeout + time.Second)
			}, func(conn net.Conn) {
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\r\n")
				reader := bufio.NewReader(conn)
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != 101 || response.Header.Get("Connection") != "Upgrade" {
					t.Errorf("got %v, %v, want 101", response, err)
				}
				if text, err := io.ReadAll(reader); err != nil || string(text) != "hello" {
					t.Errorf("got %q, %v from the connection, want what the handler sent", text, err)
				}
			})
			if !strings.Contains(log.String(), "status=101") {
				t.Errorf("got the log %s, want status=101", &log)
			}
		})
	}
}

func TestAHandlerReachesWhatTheServerOffersByAResponseController(t *testing.T) {
	listening := httptest.NewServer((&Server{Log: slog.New(slog.DiscardHandler)}).around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		controller := http.NewResponseController(w)
		for what, err := range map[string]error{
			"SetReadDeadline": controller.SetReadDeadline(time.Time{}), "SetWriteDeadline": controller.SetWriteDeadline(time.Time{}),
			"EnableFullDuplex": controller.EnableFullDuplex(), "Flush": controller.Flush(),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})))
	defer listening.Close()
	if _, err := http.Get(listening.URL); err != nil {
		t.Error(err)
	}
}

func TestTheHTTPServersOwnErrorsAreLoggedLikeAllElse(t *testing.T) {
	var log bytes.Buffer
	(&Server{Log: slog.New(slog.NewTextHandler(&log, nil))}).HTTPServer().ErrorLog.Print("http: trouble")
	if want := `level=WARN msg="http: trouble"`; !strings.Contains(log.String(), want) {
		t.Errorf("got the log %q, want %s", &log, want)
	}
}

func TestAssetsAreCompressedForClientsThatAcceptIt(t *testing.T) {
	stylesheet := newAsset("style.css", "no-cache", []byte(strings.Repeat("a { color: red }\n", 99)))
	get := func(header http.Header) (*http.Response, string) {
		recorder := httptest.NewRecorder()
		stylesheet.ServeHTTP(recorder, &http.Request{Header: header})
		return recorder.Result(), recorder.Body.String()
	}
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "br\ngzip": true, "br, gzip;q=0.8": true, "GZIP": true, "*": true, "identity": false, "gzip;q=0": false, "gzip ;\tq=0": false,
		"gzip; q=0.000, *": false, "*;q=0": false, "gzip;q=1.0": true, "deflate, *;q=0.5": true, "gzipped": false,
	} {
		plain, body := get(nil)
		response, packed := get(http.Header{"Accept-Encoding": strings.Split(accept, "\n")})
		if got := response.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding: %q: got compressed %t, want %t", accept, got, want)
		}
		if response.Header.Get("Vary") != "Accept-Encoding" || response.Header.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("Accept-Encoding: %q: got %v", accept, response.Header)
		}
		if !want {
			continue
		}
		reader, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, _ := io.ReadAll(reader); string(unpacked) != body || len(packed) >= len(body) {
			t.Errorf("got %q compressed from %d to %d bytes, want %q", unpacked, len(body), len(packed), body)
		}
		etag := response.Header.Get("ETag")
		if etag == plain.Header.Get("ETag") {
			t.Error("both forms have the same ETag")
		}
		again, _ := get(http.Header{"Accept-Encoding": strings.Split(accept, "\n"), "If-None-Match": {etag}})
		if again.StatusCode != 304 || again.Header.Get("Vary") == "" {
			t.Errorf("with its own ETag: got %d, %v, want 304", again.StatusCode, again.Header)
		}
	}
}

func TestThePageAsksForAssetsByNamesThatNeverChangeTheirContent(t *testing.T) {
	file, err := embedded.ReadFile("assets/index.html")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for path := range assetsByPath(t) {
		named += strings.Count(string(file), `"`+path+`"`)
	}
	_, page, _ := ask(t, "GET", "/", nil)
	links := regexp.MustCompile(`"(/assets/[^"]*\.[0-9a-f]{12}(?:\.\w+)?)"`).FindAllStringSubmatch(page, -1)
	if len(links) != named {
		t.Errorf("the page asks %d times for a name with a hash, want %d as in assets/index.html: %s", len(links), named, page)
	}
	for _, link := range links {
		response, _, _ := ask(t, "GET", link[1], nil)
		if response.StatusCode != 200 || response.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: got %d, %v, want it to be kept for a year", link[1], response.StatusCode, response.Header)
		}
	}
}

// Whatever a client sends, there is a valid answer with all headers.
func FuzzAnyRequestIsAnswered(f *testing.F) {
	f.Add("GET", "/", "Accept-Encoding", "gzip")
	f.Add("POST", "/assets/../..//%00", "X-Request-Id", "0123456789012345678901234567890")
	f.Add("OPTIONS", "*", "Range", "bytes=0-0,5-")
	f.Add("HEAD", "/version?x=%zz", "If-None-Match", `W/"`)
	handler := (&Server{Log: slog.New(slog.DiscardHandler), Version: ReadVersion, BehindRouter: true}).Handler()
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
		if len(recorder.Header().Get("X-Request-Id")) < 20 {
			t.Errorf("got the request id %q", recorder.Header().Get("X-Request-Id"))
		}
	})
}
