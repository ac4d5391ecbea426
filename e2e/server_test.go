package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func startServer(t *testing.T, env ...string) (*exec.Cmd, string, *bufio.Reader) {
	t.Helper()
	return startServerIn(t, "..", env...)
}

// startServerIn builds the server in a folder and starts it on a free port. It returns the process, its address and the rest
// of its log.
func startServerIn(t *testing.T, dir string, env ...string) (*exec.Cmd, string, *bufio.Reader) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server")
	run(t, dir, os.Environ(), "go build -o "+file+" .")
	command := exec.Command(file)
	command.Env = append([]string{"PORT=0"}, env...)
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
	match := regexp.MustCompile(`serving on (http://localhost:\d+)`).FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("got the first log line %q, %v, want the address", line, err)
	}
	return command, match[1], log
}

func TestMetricsGoWhereThePlatformWantsThemAndAFailureIsSilent(t *testing.T) {
	t.Parallel() // The library reports every 20 s.
	posted := make(chan string, 10)
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- r.Method + " " + string(body)
		http.Error(w, "broken", http.StatusInternalServerError)
	}))
	defer metrics.Close()
	command, url, log := startServer(t, "HEROKU_METRICS_URL="+metrics.URL)
	var got string
	select {
	case got = <-posted:
	case <-time.After(time.Minute):
	}
	if !strings.HasPrefix(got, "POST {") || !strings.Contains(got, `"counters"`) || !strings.Contains(got, `"gauges"`) {
		t.Errorf("got %q, want counters and gauges", got)
	}
	get(t, http.DefaultClient, url+"/healthz")
	command.Process.Signal(os.Interrupt)
	if text, _ := io.ReadAll(log); strings.Contains(string(text), "metrics") || strings.Contains(string(text), "ERROR") {
		t.Errorf("got the log %s, want nothing about metrics", text)
	}
}

func TestTenThousandSlowConnectionsDoNotKeepOthersWaiting(t *testing.T) {
	t.Parallel() // It waits until the server hangs up.
	want := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	want = min(want, int(limit.Cur)*9/10) // A laptop may allow fewer.
	_, url, _ := startServer(t)

	// The longest of 100 request times, each on a connection of its own.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() (longest time.Duration) {
		for range 100 {
			start := time.Now()
			response, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != 200 {
				t.Fatalf("got %d, want 200", response.StatusCode)
			}
			longest = max(longest, time.Since(start))
		}
		return longest
	}
	usual := ask()

	conns := make([]net.Conn, want)
	var opening sync.WaitGroup
	for part := range 10 {
		opening.Go(func() {
			for i := part; i < want; i += 10 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				conns[i] = conn
			}
		})
	}
	opening.Wait()
	opened := time.Now()
	done := make(chan bool)
	var dripping sync.WaitGroup
	dripping.Go(func() { // One byte per second on each of them.
		text := "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 100)
		for i := range len(text) {
			for _, conn := range conns {
				if conn != nil {
					conn.Write([]byte{text[i]})
				}
			}
			select {
			case <-done:
				return
			case <-time.After(time.Second):
			}
		}
	})
	slow := ask()
	t.Logf("100 requests take %v at most, and %v beside %d slow connections", usual, slow, want)
	if slow > 5*time.Second { // A slow connection ends after 10 s.
		t.Errorf("beside %d slow connections requests take %v, usually %v: they wait for the slow ones", want, slow, usual)
	}

	// And they cannot hold the server: it hangs up on a client that takes too long for a header.
	for _, conn := range conns {
		if conn == nil {
			continue
		}
		conn.SetReadDeadline(opened.Add(40 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("a slow connection is still open %v after it was made", time.Since(opened))
			break
		}
		conn.Close()
	}
	close(done)
	dripping.Wait()
}
