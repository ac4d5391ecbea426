package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"heroku-go-example/internal/web"
)

// TestMain lets the test executable be the server itself, so that the tests see its exit codes and its two outputs.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_SERVER") == "yes" {
		main()
		os.Exit(0)
	}
	// The tests talk to this machine only, by all of its addresses, and set what they want themselves.
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "PORT", "DYNO", "LOG_LEVEL", "LOG_FORMAT", "GOMEMLIMIT", "GOGC", "HEROKU_METRICS_URL"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// server is the command that runs the server with args and, after the test's own, the variables of env.
func server(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(append(os.Environ(), "BE_THE_SERVER=yes"), env...)
	return command
}

// start starts the server on a free port and returns its address and the rest of its log.
func start(t *testing.T, env ...string) (*exec.Cmd, string, *bufio.Reader) {
	t.Helper()
	command := server(t, append([]string{"PORT=0"}, env...))
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	log := bufio.NewReader(stdout)
	line, err := log.ReadString('\n')
	match := regexp.MustCompile(`level=INFO msg="serving on (http://localhost:\d+)" memory_limit=.*\n$`).FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("got the first log line %q, %v, want the address", line, err)
	}
	return command, match[1], log
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestTheServerServesUntilSIGTERMOrSIGINTAndExitsWith0(t *testing.T) {
	t.Parallel() // It waits for drainTime.
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		command, url, log := start(t)
		if status, body := get(t, url+"/healthz"); status != 200 || body != "ok\n" {
			t.Errorf("got %d %q, want 200 ok", status, body)
		}
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(log)
		if err := command.Wait(); err != nil {
			t.Errorf("after %v: %v, want exit code 0", signal, err)
		}
		if !strings.HasSuffix(string(rest), "msg=stopped\n") {
			t.Errorf("after %v: got the log %q, want it to end with msg=stopped", signal, rest)
		}
	}
}

func TestTheServerIsReachedFromOutsideTheLoopback(t *testing.T) {
	_, url, _ := start(t)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	for _, address := range addresses {
		ip := address.(*net.IPNet).IP
		if ip.IsLinkLocalUnicast() {
			continue // Needs a zone.
		}
		if status, _ := get(t, "http://"+net.JoinHostPort(ip.String(), port)+"/healthz"); status != 200 {
			t.Errorf("on %v: got %d, want 200", ip, status)
		}
	}
}

func TestAfterSIGTERMTheServerStillTakesRequestsForAWhile(t *testing.T) {
	t.Parallel() // It waits for drainTime.
	command, url, log := start(t)
	kept := dial(t, url, "") // A connection as the router keeps them.
	reader := bufio.NewReader(kept)
	answer := func() *http.Response {
		t.Helper()
		io.WriteString(kept, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		return response
	}
	if response := answer(); response.StatusCode != 200 || response.Close {
		t.Errorf("before SIGTERM: got %v, want 200 and the connection kept", response)
	}
	log.ReadString('\n')
	command.Process.Signal(syscall.SIGTERM)
	if line, _ := log.ReadString('\n'); !strings.Contains(line, "stopping: still taking requests") {
		t.Fatalf("got the log line %q", line)
	}
	if status, body := get(t, url+"/healthz"); status != 503 || body != "stopping\n" {
		t.Errorf("after SIGTERM: /healthz answers %d %q, want 503", status, body)
	}
	if response := answer(); response.StatusCode != 200 || !response.Close {
		t.Errorf("after SIGTERM, on a connection that was kept: got %v, want 200 and the connection closed", response)
	}
	command.Process.Signal(syscall.SIGTERM)
	if status, _ := get(t, url+"/version"); status != 200 {
		t.Errorf("after SIGTERM, on a new connection: got %d, want 200", status)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
}

// oneConn is a listener with one connection, in memory.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }
func (l oneConn) Close() error   { close(l); return nil }

func TestARequestThatDoesNotEndIsCutOffInTheTimeThatADynoHas(t *testing.T) {
	for _, test := range []struct {
		signal              os.Signal
		signaled, sent, end time.Duration
	}{
		// While it still takes requests: one from before would be answered by its own timeout in the same moment.
		{syscall.SIGTERM, 0, time.Second, 28 * time.Second},
		{os.Interrupt, time.Second, 0, 26 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			hang := make(chan bool)
			handler := &web.Server{Log: slog.New(slog.NewTextHandler(&log, nil)), Version: func() (web.Version, error) {
				<-hang
				return web.Version{}, nil
			}}
			client, conn := net.Pipe()
			listener := make(oneConn, 1)
			listener <- conn
			stop := make(chan os.Signal)
			start := time.Now()
			go func() {
				time.Sleep(test.signaled)
				stop <- test.signal
			}()
			go func() {
				time.Sleep(test.sent)
				io.WriteString(client, "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
			}()
			if err := serve(stop, listener, handler); err != nil {
				t.Errorf("serve: %v, want nil, for an exit code of 0", err)
			}
			if took := time.Since(start); took != test.end || !strings.Contains(log.String(), "requests in flight are cut off") {
				t.Errorf("%v: got the end after %v, want %v; the log says %s", test.signal, took, test.end, &log)
			}
			if answer, err := io.ReadAll(client); err != nil || len(answer) > 0 {
				t.Errorf("got %q, %v, want the connection closed", answer, err)
			}
			close(hang)
			close(stop)
		})
	}
}

func TestOnlyOnHerokuRequestsByPlainHTTPAreSentToHTTPS(t *testing.T) {
	for env, want := range map[string]int{"DYNO=web.1": 308, "DYNO=": 200} {
		_, url, _ := start(t, env)
		request, _ := http.NewRequest("GET", url, nil)
		request.Header.Set("X-Forwarded-Proto", "http")
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %d, want %d", env, response.StatusCode, want)
		}
	}
}

// dial sends text to the server as it is.
func dial(t *testing.T, url, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestRequestsForNoPathAreAnsweredByTheHandlerToo(t *testing.T) {
	_, url, log := start(t)
	for _, line := range []string{"OPTIONS *", "CONNECT localhost:80", "GET *"} {
		conn := dial(t, url, line+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 404 ") || !strings.Contains(string(answer), "\nX-Request-Id: ") {
			t.Fatalf("%s: got %q, want 404 with a request id", line, answer)
		}
		if logged, _ := log.ReadString('\n'); !strings.Contains(logged, "status=404") {
			t.Errorf("%s: got the log line %q, want status=404", line, logged)
		}
	}
}

func TestASecondSIGTERMChangesNothingAndASecondSIGINTEndsTheServerAtOnce(t *testing.T) {
	t.Parallel() // It waits for drainTime.
	for signal, want := range map[os.Signal]string{syscall.SIGTERM: "exit status 0", os.Interrupt: "exit status 130"} {
		command, url, log := start(t)
		conn := dial(t, url, "GET / HTTP/1.1\r\n") // A request that is not over keeps the server from stopping,
		get(t, url)                                // once it is accepted, which is before the next one is.
		log.ReadString('\n')
		command.Process.Signal(signal)
		if line, _ := log.ReadString('\n'); !strings.Contains(line, "msg=\"stopping: ") {
			t.Errorf("got the log line %q after %v, want stopping", line, signal)
		}
		command.Process.Signal(signal)
		if signal == syscall.SIGTERM {
			conn.Close()
		}
		io.Copy(io.Discard, log)
		command.Wait()
		if got := command.ProcessState.String(); got != want {
			t.Errorf("got %q after %v twice, want %q", got, signal, want)
		}
	}
}

func TestTheLogFitsHerokuAndSaysTheMemoryLimit(t *testing.T) {
	for _, test := range []struct{ env, want string }{
		{"DYNO=web.1", `^level=INFO msg="serving on \S+" memory_limit=.*\n$`},
		{"DYNO=", `^time=\S+ level=INFO msg="serving on \S+" memory_limit=.*\n$`},
		{"GOMEMLIMIT=100MiB", ` memory_limit="100 MiB"\n$`},
		{"LOG_FORMAT=json", `^{"time":"[^"]+","level":"INFO","msg":"serving on [^"]+","memory_limit":"[^"]+"}\n$`},
	} {
		command := server(t, []string{"PORT=0", test.env})
		stdout, _ := command.StdoutPipe()
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		command.Process.Kill()
		command.Wait()
		if !regexp.MustCompile(test.want).MatchString(line) {
			t.Errorf("%s: got %q, want %s", test.env, line, test.want)
		}
	}
	level := func(name string) string { return map[string]string{"LOG_LEVEL": "error"}[name] }
	log, err := newLogger(level, false, io.Discard)
	if err != nil || log.Enabled(t.Context(), slog.LevelWarn) || !log.Enabled(t.Context(), slog.LevelError) {
		t.Errorf("LOG_LEVEL=error: got %v and other levels", err)
	}
}

func TestTheMemoryLimitIsNineTenthsOfTheDynosUnlessTheUserSaysOtherwise(t *testing.T) {
	none, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer debug.SetMemoryLimit(none)
	defer debug.SetGCPercent(percent)
	for _, test := range []struct {
		limit, wantLimit int64
		env              map[string]string
		wantPercent      int
	}{
		{512 << 20, 483183819, nil, 400},
		{512 << 20, none, map[string]string{"GOMEMLIMIT": "off"}, 100},
		{512 << 20, 483183819, map[string]string{"GOGC": "50"}, 100},
		{0, none, nil, 100},
	} {
		debug.SetMemoryLimit(none) // As the Go runtime has it from the environment.
		debug.SetGCPercent(100)
		limitMemory(test.limit, func(name string) string { return test.env[name] })
		if gotLimit, gotPercent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); gotLimit/10 != test.wantLimit/10 || gotPercent != test.wantPercent {
			t.Errorf("%d bytes, %v: got the limit %d and GOGC %d, want %d and %d", test.limit, test.env, gotLimit, gotPercent, test.wantLimit, test.wantPercent)
		}
	}
}

func TestVersionSaysWhatIsRunningAndWhere(t *testing.T) {
	platform := []string{"DYNO=web.1", "HEROKU_APP_NAME=fern", "HEROKU_RELEASE_VERSION=v7",
		"HEROKU_RELEASE_CREATED_AT=2026-10-02T12:00:00Z", "HEROKU_SLUG_COMMIT=c0ffee"}
	_, url, _ := start(t, platform...)
	_, answer := get(t, url+"/version")
	var got web.Version
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	executable, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(executable)); got.SHA256 != want {
		t.Errorf("got sha256 %s, want the executable's %s", got.SHA256, want)
	}
	if got.Go == "" || got.Dyno != "web.1" || got.App != "fern" || got.Release != "v7" ||
		got.ReleasedAt != "2026-10-02T12:00:00Z" || got.Commit != "c0ffee" {
		t.Errorf("got %+v, want the Go version and what the environment says", got)
	}
	goMod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Modules) < 3 || !strings.HasPrefix(string(goMod), "module "+got.Modules[0].Path+"\n") {
		t.Fatalf("got the modules %v, want the main one, mux and the root certificates", got.Modules)
	}
	for _, module := range got.Modules[1:] {
		if !strings.Contains(string(goMod), module.Path+" "+module.Version) {
			t.Errorf("the module %v is not in go.mod", module)
		}
	}

	printed, err := server(t, platform, "version").Output()
	if err != nil || string(printed) != answer {
		t.Errorf("server version: got %s, %v, want what /version says: %s", printed, err, answer)
	}
}

func TestTheRootCertificatesAreInTheExecutable(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != "/nonexistent" {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if runtime.GOOS == "darwin" { // It always has a store of its own, which comes first.
			command.Env = append(command.Env, "GODEBUG=x509usefallbackroots=1")
		}
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("where the system has no certificates: %v: %s", err, out)
		}
		return
	}
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Verify(x509.VerifyOptions{}); err != nil {
			t.Errorf("%v is not trusted: %v", certificate.Subject, err)
		}
	}
}

func TestHealthcheckAsksTheServerOnThePort(t *testing.T) {
	_, url, _ := start(t)
	port := url[strings.LastIndex(url, ":")+1:]
	if out, err := server(t, []string{"PORT=" + port}, "healthcheck").CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("got %s, %v, want silence and exit code 0", out, err)
	}

	sick, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(sick, http.NotFoundHandler())
	_, port, _ = net.SplitHostPort(sick.Addr().String())
	failsWith(t, 1, "healthcheck: port "+port+" answers 404 Not Found", []string{"PORT=" + port}, "healthcheck")
	sick.Close()
	failsWith(t, 1, "connection refused", []string{"PORT=" + port}, "healthcheck")
}

func TestCtrlCEndsAHealthcheckThatGetsNoAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	command := server(t, []string{"PORT=" + port}, "healthcheck")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	command.Process.Signal(os.Interrupt)
	command.Wait()
	if got := command.ProcessState.String(); got != "signal: interrupt" {
		t.Errorf("got %q, want it to end by the signal", got)
	}
}

// failsWith runs the server and wants the exit code, nothing on stdout and one line on stderr that holds text.
func failsWith(t *testing.T, code int, text string, env []string, args ...string) {
	t.Helper()
	command := server(t, env, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Run()
	if command.ProcessState.ExitCode() != code || stdout.Len() > 0 ||
		!strings.Contains(stderr.String(), text) || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v server %v: got exit code %d, stdout %q, stderr %q, want %d and one line with %q",
			env, args, command.ProcessState.ExitCode(), &stdout, &stderr, code, text)
	}
}

func TestBadConfigurationStopsTheProgramAtOnceWithCode2(t *testing.T) {
	for _, command := range [][]string{nil, {"web"}, {"healthcheck"}, {"version"}} {
		failsWith(t, 2, `PORT="abc": want a number from 0 to 65535`, []string{"PORT=abc"}, command...)
		failsWith(t, 2, `PORT="70000": want a number from 0 to 65535`, []string{"PORT=70000"}, command...)
	}
	failsWith(t, 2, `LOG_LEVEL="loud": want debug, info, warn or error`, []string{"PORT=0", "LOG_LEVEL=loud"})
	failsWith(t, 2, `LOG_FORMAT="xml": want text or json`, []string{"PORT=0", "LOG_FORMAT=xml"})
}

func TestATakenPortStopsTheProgramAtOnceWithCode1(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	failsWith(t, 1, "PORT="+port+": listen tcp :"+port+": bind: address already in use", []string{"PORT=" + port})
}

func TestAnUnknownCommandIsAnsweredWithTheUsageAndCode2(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {""}, {"-h"}, {"web", "8080"}, {"/bin/sh", "-c", "web"}} {
		failsWith(t, 2, "usage: server [web | healthcheck | version]", nil, args...)
	}
}

func TestStoppingFinishesTheRequestInFlight(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived, answer := make(chan bool), make(chan bool)
	handler := &web.Server{Log: slog.New(slog.DiscardHandler), Version: func() (web.Version, error) {
		close(arrived)
		<-answer
		return web.Version{Go: "finished"}, nil
	}}
	stop, served := make(chan os.Signal), make(chan error)
	go func() { served <- serve(stop, listener, handler) }()
	body := make(chan string, 1)
	go func() {
		defer close(body)
		response, err := http.Get("http://" + listener.Addr().String() + "/version")
		if err != nil {
			return // The body is then empty.
		}
		text, _ := io.ReadAll(response.Body)
		body <- string(text)
	}()

	<-arrived
	stop <- os.Interrupt
	for { // until nobody listens any more
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(answer)
	if got := <-body; !strings.Contains(got, `"finished"`) {
		t.Errorf("got %q, want the whole answer", got)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v, want nil", err)
	}
}
