package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
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
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "PORT", "DYNO", "HTTPS_REDIRECT", "LOG_LEVEL", "LOG_FORMAT", "DRAIN_TIME", "GOMEMLIMIT", "GOGC", "HEROKU_METRICS_URL"} {
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

// failsWith runs the server and wants the exit code, nothing on stdout and one line on stderr that holds text.
func failsWith(t *testing.T, code int, text string, env []string, args ...string) {
	t.Helper()
	command := server(t, env, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Run()
	if command.ProcessState.ExitCode() != code || stdout.Len() > 0 || !strings.Contains(stderr.String(), text) || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v server %v: got exit code %d, stdout %q, stderr %q, want %d and one line with %q",
			env, args, command.ProcessState.ExitCode(), &stdout, &stderr, code, text)
	}
}

// Heroku's CLI takes the exit code of a task from its output.
func TestATaskThatFailsSaysItsExitCode(t *testing.T) {
	for args, want := range map[string]string{"nonsense": "\uFFFF heroku-command-exit-status: 2\n", "healthcheck": "\uFFFF heroku-command-exit-status: 1\n"} {
		out, err := server(t, []string{"DYNO=run.1", "PORT=1"}, args).Output()
		if err == nil || string(out) != want {
			t.Errorf("server %s: got %q, %v, want %q", args, out, err, want)
		}
	}
	if out, err := server(t, []string{"DYNO=run.1"}, "version").Output(); err != nil || strings.Contains(string(out), "exit-status") {
		t.Errorf("server version: got %q, %v, want no exit code", out, err)
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

func TestOnlyWhatHerokusRouterBringsIsSentToHTTPSUnlessTheEnvironmentSaysOtherwise(t *testing.T) {
	for _, test := range []struct {
		env, via string
		want     int
	}{
		{"DYNO=web.1", "1.1 heroku-router", 308},
		{"DYNO=web.1", "1.1 example-cdn, 1.1 vegur", 308},
		{"DYNO=web.1", "", 200}, // As on Dokku.
		{"DYNO=web.1", "1.1 heroku-router, 1.1 example-cdn", 200},
		{"DYNO=", "1.1 heroku-router", 200},
		{"HTTPS_REDIRECT=on", "", 308},
		{"DYNO=web.1 HTTPS_REDIRECT=off", "1.1 heroku-router", 200},
	} {
		_, url, _ := start(t, strings.Fields(test.env)...)
		request, _ := http.NewRequest("GET", url, nil)
		request.Header.Set("X-Forwarded-Proto", "http")
		if test.via != "" {
			request.Header.Set("Via", test.via)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s, Via %q: got %d, want %d", test.env, test.via, response.StatusCode, test.want)
		}
	}
}

func TestTheLogSaysTheTimeAndTheMemoryLimit(t *testing.T) {
	for _, test := range []struct{ env, want string }{
		{"DYNO=web.1", `^time=\S+ level=INFO msg="serving on \S+" memory_limit=.*\n$`},
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
	if got.SHA256 == "" || got.Name != "web.1" || got.App != "fern" || got.Release != "v7" ||
		got.ReleasedAt != "2026-10-02T12:00:00Z" || got.Commit != "c0ffee" {
		t.Errorf("got %+v, want what the executable and the environment say", got)
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
		if runtime.GOOS != "linux" { // Others have a store of their own, which comes first.
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

	sick, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(sick, http.NotFoundHandler())
	_, port, _ = net.SplitHostPort(sick.Addr().String())
	failsWith(t, 1, "healthcheck: port "+port+" answers 404 Not Found", []string{"PORT=" + port}, "healthcheck")
	sick.Close()
	failsWith(t, 1, "refused", []string{"PORT=" + port}, "healthcheck")
}

func TestBadConfigurationStopsTheProgramAtOnceWithCode2(t *testing.T) {
	for _, command := range [][]string{nil, {"web"}, {"healthcheck"}, {"version"}} {
		failsWith(t, 2, `PORT="abc": want a number from 0 to 65535`, []string{"PORT=abc"}, command...)
	}
	for _, serve := range [][]string{nil, {"web"}, {"--"}, {""}} {
		failsWith(t, 2, `LOG_LEVEL="loud": want debug, info, warn or error`, []string{"PORT=0", "LOG_LEVEL=loud"}, serve...)
	}
	failsWith(t, 2, `HTTPS_REDIRECT="true": want on or off`, []string{"PORT=0", "HTTPS_REDIRECT=true"})
	failsWith(t, 2, `LOG_FORMAT="xml": want text or json`, []string{"PORT=0", "LOG_FORMAT=xml"})
	for _, value := range []string{"5", "soon", "-1s", "26s"} {
		failsWith(t, 2, `DRAIN_TIME="`+value+`": want a duration from 0s to 25s`, []string{"PORT=0", "DRAIN_TIME=" + value})
	}
}

func TestATakenPortStopsTheProgramAtOnceWithCode1(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	failsWith(t, 1, "PORT="+port+": listen tcp :"+port+": bind: ", []string{"PORT=" + port})
}

func TestAnUnknownCommandIsAnsweredWithTheUsageAndCode2(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"-h"}, {"web", "8080"}, {"", ""}, {"--", "web"}, {"/bin/sh", "-c", "web"}} {
		failsWith(t, 2, "usage: server [web | healthcheck | version]", nil, args...)
	}
}

func TestStoppingFinishesTheRequestInFlight(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
	go func() { served <- serve(stop, listener, handler, 0) }()
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

// oneConn is a listener with one connection, in memory.
type oneConn struct {
	net.Conn
	accepted, closed sync.Once
	end              chan bool
}

func (l *oneConn) Accept() (conn net.Conn, err error) {
	l.accepted.Do(func() { conn = l.Conn })
	if conn == nil {
		<-l.end
		err = net.ErrClosed
	}
	return conn, err
}
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
func (l *oneConn) Close() error   { l.closed.Do(func() { close(l.end) }); return nil }

func TestARequestThatDoesNotEndIsCutOffInTheTimeThatADynoHas(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			hang := make(chan bool)
			handler := &web.Server{Log: slog.New(slog.NewTextHandler(&log, nil)), Version: func() (web.Version, error) {
				<-hang
				return web.Version{}, nil
			}}
			client, conn := net.Pipe()
			stop := make(chan os.Signal)
			go func() {
				io.WriteString(client, "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
				synctest.Wait()
				stop <- signal
			}()
			start := time.Now()
			if err := serve(stop, &oneConn{Conn: conn, end: make(chan bool)}, handler, 3*time.Second); err != nil {
				t.Errorf("serve: %v, want nil, for an exit code of 0", err)
			}
			if took := time.Since(start); took != stopTime || !strings.Contains(log.String(), "requests in flight are cut off") {
				t.Errorf("%v: got the end after %v, want %v; the log says %s", signal, took, stopTime, &log)
			}
			if answer, err := io.ReadAll(client); err != nil || len(answer) > 0 {
				t.Errorf("got %q, %v, want the connection closed", answer, err)
			}
			close(hang)
		})
	}
}

func TestARequestThatIsOnItsWayWhenTheListenerClosesIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := &web.Server{Log: slog.New(slog.DiscardHandler)}
		client, conn := net.Pipe()
		listener := &oneConn{Conn: conn, end: make(chan bool)}
		stop, served := make(chan os.Signal), make(chan error)
		go func() { served <- serve(stop, listener, handler, 0) }()
		stop <- os.Interrupt
		<-listener.end
		time.Sleep(100 * time.Millisecond)
		io.WriteString(client, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || response.StatusCode != 200 {
			t.Errorf("got %v, %v, want 200", response, err)
		}
		client.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
