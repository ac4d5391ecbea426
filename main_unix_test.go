//go:build unix

package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheServerServesUntilSIGTERMOrSIGINTAndExitsWith0(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		command, url, log := start(t, "DRAIN_TIME=0s")
		if status, body := get(t, url+"/healthz"); status != 200 || body != "ok\n" {
			t.Errorf("got %d %q, want 200 ok", status, body)
		}
		command.Process.Signal(signal)
		rest, _ := io.ReadAll(log)
		if err := command.Wait(); err != nil {
			t.Errorf("after %v: %v, want exit code 0", signal, err)
		}
		if !strings.HasSuffix(string(rest), "msg=stopped\n") {
			t.Errorf("after %v: got the log %q, want it to end with msg=stopped", signal, rest)
		}
	}
}

func TestAfterSIGTERMTheServerStillTakesRequestsForAsLongAsDRAIN_TIMESays(t *testing.T) {
	command, url, log := start(t, "DRAIN_TIME=1s")
	kept, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")) // A connection as the router keeps them.
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
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
	signaled := time.Now()
	command.Process.Signal(syscall.SIGTERM)
	if line, _ := log.ReadString('\n'); !strings.HasSuffix(line, "msg=\"stopping: still taking requests\" for=1s\n") {
		t.Fatalf("got the log line %q", line)
	}
	if status, body := get(t, url+"/healthz"); status != 503 || body != "stopping\n" {
		t.Errorf("after SIGTERM: /healthz answers %d %q, want 503", status, body)
	}
	if response := answer(); response.StatusCode != 200 || !response.Close {
		t.Errorf("after SIGTERM, on a connection that was kept: got %v, want 200 and the connection closed", response)
	}
	command.Process.Signal(syscall.SIGTERM) // Which changes nothing.
	if status, _ := get(t, url+"/version"); status != 200 {
		t.Errorf("after SIGTERM, on a new connection: got %d, want 200", status)
	}
	io.Copy(io.Discard, log)
	if err := command.Wait(); err != nil || time.Since(signaled) < time.Second {
		t.Errorf("got %v after %v, want exit code 0 after 1 s", err, time.Since(signaled))
	}
}

func TestTheServerDrainsFor3sByDefault(t *testing.T) {
	command, _, log := start(t)
	command.Process.Signal(syscall.SIGTERM)
	if line, _ := log.ReadString('\n'); !strings.HasSuffix(line, "msg=\"stopping: still taking requests\" for=3s\n") {
		t.Errorf("got the log line %q", line)
	}
}

func TestASecondSIGINTKillsTheServer(t *testing.T) {
	command, url, log := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\n") // A request that is not over keeps the server from stopping,
	get(t, url)                                // once it is accepted, which is before the next one is.
	log.ReadString('\n')
	command.Process.Signal(os.Interrupt)
	if line, _ := log.ReadString('\n'); !strings.Contains(line, "msg=\"stopping: ") {
		t.Errorf("got the log line %q after Ctrl-C, want stopping", line)
	}
	command.Process.Signal(os.Interrupt)
	command.Wait()
	if got := command.ProcessState.String(); got != "signal: interrupt" {
		t.Errorf("got %q after Ctrl-C twice, want it to end by the signal", got)
	}
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

func TestALogThatNobodyReadsHoldsUpNeitherRequestsNorTheStop(t *testing.T) {
	command, url, _ := start(t, "DRAIN_TIME=0s")
	for range 1000 { // A pipe holds the lines of some 500.
		if status, _ := get(t, url+"/healthz"); status != 200 {
			t.Fatalf("got %d, want 200", status)
		}
	}
	stopping := time.Now()
	command.Process.Signal(syscall.SIGTERM)
	// Not Wait, which would close the pipe.
	if state, err := command.Process.Wait(); err != nil || state.ExitCode() != 0 || time.Since(stopping) > 10*time.Second {
		t.Errorf("got %v, %v after %v, want exit code 0 after a second or two", state, err, time.Since(stopping))
	}
}
