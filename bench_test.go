package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heroku-go-example/internal/web"
)

// bareServer answers like this server's page, and does nothing else.
const bareServer = `package main

import (
	"net/http"
	"os"
	"strconv"
)

func main() {
	page, err := os.ReadFile(os.Getenv("PAGE"))
	if err != nil {
		panic(err)
	}
	length := strconv.Itoa(len(page))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", length)
		w.Write(page)
	})
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

// BenchmarkAgainstBareNetHTTP compares the server, with all its middleware and its log, with a bare net/http server that
// gives the same answer. Each metric is the server's value divided by the bare one's, but for the two that say otherwise. The
// server collects garbage less often, as it does on Heroku, and the bare one as Go does by itself.
//
//	go test -run '^$' -bench Bare -benchtime 200000x .
func BenchmarkAgainstBareNetHTTP(b *testing.B) {
	dir := b.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
		return file
	}
	build := func(out, source string) string {
		out = filepath.Join(dir, out)
		command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags=nethttpomithttp2", "-ldflags", "-s -w -buildid=", "-o", out, source)
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := command.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, text)
		}
		return out
	}
	page := httptest.NewRecorder()
	quiet := &web.Server{Log: slog.New(web.LogHandler{Handler: slog.NewTextHandler(io.Discard, nil)})}
	quiet.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	pageFile := write("page", page.Body.String())
	bare := build("bare", write("bare.go", bareServer))
	ours := build("server", ".")

	// One round after the other, so that what else the machine does hits both.
	rounds := 6
	var measured [2][]sample
	for round := range rounds {
		for i, program := range []string{bare, ours} {
			s := measure(b, program, pageFile, b.N/rounds+1)
			if round > 0 { // The first one warms up the machine.
				measured[i] = append(measured[i], s)
			}
		}
	}
	median := func(i int, value func(sample) float64) float64 {
		var values []float64
		for _, s := range measured[i] {
			values = append(values, value(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for name, value := range map[string]func(sample) float64{
		"cpu":        func(s sample) float64 { return s.cpu.Seconds() },
		"throughput": func(s sample) float64 { return s.throughput },
		"p99":        func(s sample) float64 { return s.p99.Seconds() },
		"start":      func(s sample) float64 { return s.start.Seconds() },
	} {
		b.Logf("%-10s  bare %.6g, server %.6g", name, median(0, value), median(1, value))
		b.ReportMetric(median(1, value)/median(0, value), name+"-ratio")
	}
	b.ReportMetric(median(1, func(s sample) float64 { return float64(s.idle) / 1e6 }), "idle-MB")
	b.ReportMetric(float64(compressedSize(b, ours))/float64(compressedSize(b, bare)), "size-ratio")
	b.ReportMetric(allocations(quiet.Handler())-allocations(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page.Body.Bytes())
	})), "more-allocs")
	b.ReportMetric(0, "ns/op") // Of no meaning here.
}

type sample struct {
	start      time.Duration // from the process's start to its first answer
	idle       int64         // resident bytes after that, 0 where there is no /proc
	cpu        time.Duration // of the process for all requests
	throughput float64       // requests per second
	p99        time.Duration
}

// measure runs a server and sends it n requests over 64 connections.
func measure(b *testing.B, program, page string, n int) sample {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	command := exec.Command(program)
	command.Env = []string{"PORT=" + port, "PAGE=" + page, "DYNO=web.1", "GOMEMLIMIT=460MiB"}
	stdout, err := command.StdoutPipe() // Like Logplex, it is read all the time.
	if err != nil {
		b.Fatal(err)
	}
	var s sample
	start := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	go io.Copy(io.Discard, stdout)
	defer func() { command.Process.Kill(); command.Wait() }()
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			exchange(b, conn, make([]byte, 64<<10))
			conn.Close()
			break
		}
		if time.Since(start) > time.Minute {
			b.Fatalf("%s does not listen", program)
		}
	}
	s.start = time.Since(start)
	s.idle = resident(command.Process.Pid)

	before, started := cpuTime(b, command), time.Now()
	latencies := make([][]time.Duration, 64)
	var clients sync.WaitGroup
	for i := range latencies {
		clients.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			buffer := make([]byte, 64<<10)
			for range n/len(latencies) + 1 {
				sent := time.Now()
				exchange(b, conn, buffer)
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	clients.Wait()
	all := slices.Concat(latencies...)
	slices.Sort(all)
	s.throughput = float64(len(all)) / time.Since(started).Seconds()
	s.p99 = all[len(all)*99/100]
	s.cpu = (cpuTime(b, command) - before) / time.Duration(len(all))
	return s
}

// exchange sends a request as the router does and reads the answer.
func exchange(b *testing.B, conn net.Conn, buffer []byte) {
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.7\r\n"+
		"X-Forwarded-Port: 443\r\nX-Request-Id: 01234567-89ab-cdef-0123-456789abcdef\r\nX-Request-Start: 1790000000000\r\nVia: 1.1 heroku-router\r\n\r\n")
	for read := 0; ; {
		n, err := conn.Read(buffer[read:])
		if err != nil {
			b.Error(err)
			return
		}
		read += n
		header, body, ok := bytes.Cut(buffer[:read], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		_, length, _ := strings.Cut(string(header), "Content-Length: ")
		length, _, _ = strings.Cut(length, "\r\n")
		want, err := strconv.Atoi(length)
		if err == nil {
			_, err = io.CopyN(io.Discard, conn, int64(want-len(body)))
		}
		if err != nil {
			b.Error(err)
		}
		return
	}
}

// cpuTime is what the process has used so far, on Linux: utime and stime are the 14th and 15th field, in ticks of 10 ms.
func cpuTime(b *testing.B, command *exec.Cmd) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", command.Process.Pid))
	if err != nil {
		b.Skip("CPU time is read from /proc")
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func resident(pid int) int64 {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(syscall.Getpagesize())
}

func compressedSize(b *testing.B, file string) int {
	content, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var compressed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	writer.Write(content)
	writer.Close()
	return compressed.Len()
}

// allocations is how many a handler makes for a request of the page.
func allocations(handler http.Handler) float64 {
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("X-Request-Id", "01234567-89ab-cdef-0123-456789abcdef")
	return testing.AllocsPerRun(1000, func() {
		handler.ServeHTTP(discard{make(http.Header)}, request)
	})
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
