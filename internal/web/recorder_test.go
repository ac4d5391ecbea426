package web

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const second = time.Second

// A client is the other end of a server's one connection, in memory and with a clock of its own.
type client struct {
	net.Conn
	*testing.T
	handler http.HandlerFunc
	log     *bytes.Buffer
	server  *Server
	start   time.Time
	reader  *bufio.Reader
}

// inBubble calls the function with a client whose server has all limits. It is to set the handler first.
func inBubble(t *testing.T, f func(t *testing.T, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, log := newServer()
		server.FromProxy = always
		ours, theirs := net.Pipe()
		c := &client{Conn: ours, T: t, log: log, server: server, start: time.Now(), reader: bufio.NewReader(ours)}
		listener := make(oneConn, 1)
		listener <- theirs
		httpServer := server.HTTPServer()
		httpServer.Handler = server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handler(w, r) }))
		go httpServer.Serve(listener)
		f(t, c)
		ours.Close()
		synctest.Wait()
		httpServer.Close()
	})
}

// oneConn is a listener with one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }
func (l oneConn) Close() error   { close(l); return nil }

func (c *client) send(text string)       { io.WriteString(c.Conn, text) }
func (c *client) sleep(seconds int)      { time.Sleep(time.Duration(seconds) * second) }
func (c *client) elapsed() time.Duration { return time.Since(c.start) }

// logged returns the log when the server has nothing to do.
func (c *client) logged() string {
	synctest.Wait()
	return c.log.String()
}

// read reads an answer.
func (c *client) read() *http.Response {
	c.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.Fatal(err)
	}
	return response
}

func TestAClientThatSendsNothingIsHungUpOn(t *testing.T) {
	for what, test := range map[string]struct {
		sent   string
		after  time.Duration
		answer string
	}{
		"half a header":                {"GET / HT", 10 * second, ""},
		"half a body, which is read":   {"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", rollingTimeout, "HTTP/1.1 200 OK"},
		"half a body, which is not":    {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", requestTimeout, "HTTP/1.1 200 OK"},
		"half a body, over plain HTTP": {"POST / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: http\r\nContent-Length: 9\r\n\r\n", requestTimeout, "HTTP/1.1 308 "},
		"half a body, which is large":  {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n", second, "HTTP/1.1 200 OK"},
	} {
		inBubble(t, func(t *testing.T, c *client) {
			c.handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/read" {
					io.Copy(io.Discard, r.Body)
				}
			}
			c.send(test.sent)
			answer, _ := io.ReadAll(c.reader)
			if c.elapsed() > test.after+second || !strings.HasPrefix(string(answer), test.answer) {
				t.Errorf("%s: got %q and the end after %v, want %q and the end after %v", what, answer, c.elapsed(), test.answer, test.after)
			}
		})
	}
}

func TestAClientThatTakesNothingIsHungUpOn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		failed := make(chan error)
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					failed <- err
					return
				}
			}
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err := <-failed; c.elapsed() != rollingTimeout {
			t.Errorf("given up with %v after %v, want after %v", err, c.elapsed(), rollingTimeout)
		}
	})
}

func TestASlowClientGetsAllOfALargeWrite(t *testing.T) {
	const parts, size = 20, 64 << 10
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			if n, err := w.Write(make([]byte, parts*size)); n != parts*size || err != nil {
				t.Errorf("Write: got %d, %v, want %d", n, err, parts*size)
			}
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		body, got := c.read().Body, 0
		for {
			n, err := io.ReadFull(body, make([]byte, size/2))
			got += n
			if err != nil {
				break
			}
			c.sleep(20)
		}
		if got != parts*size {
			t.Errorf("got %d bytes, want %d", got, parts*size)
		}
	})
}

func TestAnAnswerIsNotLostWhenItsHandlerReturnsLongAfterTheLastWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "hello")
			c.sleep(120)
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if body, err := io.ReadAll(c.read().Body); err != nil || string(body) != "hello" {
			t.Errorf("got %q, %v, want the whole answer", body, err)
		}
	})
}

func TestAHandlerThatStreamsAfterABodyIsNotCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
			io.Copy(w, r.Body) // Once more at its end.
			w.(http.Flusher).Flush()
			c.sleep(300)
			if err := r.Context().Err(); err != nil {
				t.Errorf("long after the body: %v", err)
			}
			io.WriteString(w, " world")
		}
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
		if body, err := io.ReadAll(c.read().Body); err != nil || string(body) != "hello world" {
			t.Errorf("got %q, %v, want the whole answer", body, err)
		}
	})
}

func TestAReadThatOutlivesItsHandlerDoesNotCutOffTheNextRequest(t *testing.T) {
	for path, status := range map[string]int{"/first": 200, "/panic": 500} {
		inBubble(t, func(t *testing.T, c *client) {
			c.handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == path {
					go func() {
						c.sleep(1)
						r.Body.Read(make([]byte, 1))
					}()
					if path == "/panic" {
						panic("a bug")
					}
					return
				}
				w.(http.Flusher).Flush()
				c.sleep(300)
				if err := r.Context().Err(); err != nil {
					t.Errorf("in the request after %s: %v", path, err)
				}
			}
			c.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
			response := c.read()
			if _, err := io.Copy(io.Discard, response.Body); response.StatusCode != status || err != nil {
				t.Errorf("%s: got %d, %v, want %d", path, response.StatusCode, err, status)
			}
			c.send("GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if _, err := io.ReadAll(c.read().Body); err != nil {
				t.Errorf("after %s: %v", path, err)
			}
		})
	}
}

func TestAConnectionThatWasIdleForLongStillTakesExpect100Continue(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.handler = func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.read()
		c.sleep(100)
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		if response := c.read(); response.StatusCode != 100 {
			t.Fatalf("got %d, want 100", response.StatusCode)
		}
		c.send("hello")
		if body, err := io.ReadAll(c.read().Body); err != nil || string(body) != "hello" {
			t.Errorf("got %q, %v", body, err)
		}
	})
}

func TestAnAnswerCanComeAfterEarlyHints(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.server.Drain() // Which closes the connection after the answer, not after the hints.
		c.handler = func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				w.WriteHeader(http.StatusEarlyHints)
				c.sleep(40)
			}
			http.Error(w, "a teapot", http.StatusTeapot)
		}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		for _, want := range []int{103, 103, 103, 418} {
			if response := c.read(); response.StatusCode != want || response.Close != (want == 418) {
				t.Errorf("got %+v, want %d", response, want)
			}
		}
	})
}

func TestARequestInFlightThatIsAnsweredAfterDrainEndsItsConnection(t *testing.T) {
	for _, text := range []string{"", "hello"} {
		inBubble(t, func(t *testing.T, c *client) {
			c.handler = func(w http.ResponseWriter, r *http.Request) {
				c.server.Drain()
				io.WriteString(w, text)
			}
			c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			if response := c.read(); !response.Close {
				t.Errorf("writes %q: got %v, want the connection closed", text, response.Header)
			}
		})
	}
}

// WebSocket libraries write the status by WriteHeader or by themselves, and use the connection after the handler.
func TestAConnectionCanBeHijackedAndIsThenTheHandlersAlone(t *testing.T) {
	for _, writeHeader := range []bool{true, false} {
		inBubble(t, func(t *testing.T, c *client) {
			c.server.Drain() // Which must not make it "Connection: close".
			c.handler = func(w http.ResponseWriter, r *http.Request) {
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
					c.sleep(300)
					io.WriteString(conn, "hello")
					conn.Close()
				}()
				c.sleep(30)
			}
			c.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\r\n")
			if response := c.read(); response.StatusCode != 101 || response.Header.Get("Connection") != "Upgrade" {
				t.Errorf("got %v, want 101", response)
			}
			if text, err := io.ReadAll(c.reader); err != nil || string(text) != "hello" {
				t.Errorf("got %q, %v from the connection, want what the handler sent", text, err)
			}
			if log := c.logged(); !strings.Contains(log, "status=101") {
				t.Errorf("got the log %s, want status=101", log)
			}
		})
	}
}

func TestAHandlerReachesWhatTheServerOffersByAResponseController(t *testing.T) {
	server, _ := newServer()
	listening := httptest.NewServer(server.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
