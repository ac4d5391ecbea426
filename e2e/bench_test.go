package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
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
// gives the same answer. Each metric is the server's value divided by the bare one's, but for the memory. The server collects
// garbage less often, as it does on Heroku, and the bare one as Go does by itself.
func BenchmarkAgainstBareNetHTTP(b *testing.B) {
	dir := b.TempDir()
	build := func(folder, out string) string {
		out = filepath.Join(dir, out)
		run(b, folder, goEnv(), strings.Replace(goBuild, "-o result-server", "-o "+out, 1))
		return out
	}
	ours := build("..", "server")
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
		return file
	}
	write("bare.go", bareServer)
	write("go.mod", "module bare\n")
	bare := build(dir, "bare")
	page := write("page", thePage(b, ours))

	// Rounds alternate, so that other work of the machine slows both.
	rounds := 6
	var measured [2][]sample
	for round := range rounds {
		for i, program := range []string{bare, ours} {
			s := measure(b, program, page, b.N/rounds+1)
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
	b.ReportMetric(float64(compressedSize([]byte(read(b, ours))))/float64(compressedSize([]byte(read(b, bare)))), "size-ratio")
	b.ReportMetric(0, "ns/op") // It means nothing here.
}

// thePage is what the server answers on /.
func thePage(b *testing.B, server string) string {
	command, address := startOnFreePort(b, server)
	defer func() { command.Process.Kill(); command.Wait() }()
	return get(b, http.DefaultClient, "http://"+address+"/")
}

// startOnFreePort starts a server and waits until it listens.
func startOnFreePort(b testing.TB, program string, env ...string) (command *exec.Cmd, address string) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	return startOn(b, address, program, env...), address
}

func startOn(b testing.TB, address, program string, env ...string) *exec.Cmd {
	_, port, _ := net.SplitHostPort(address)
	command := exec.Command(program)
	command.Env = append(env, "PORT="+port)
	stdout, err := command.StdoutPipe() // Like Logplex, it is read all the time.
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	atEnd(b, func() { command.Process.Kill(); command.Wait() })
	go io.Copy(io.Discard, stdout)
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return command
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not listen", program)
		}
		time.Sleep(time.Millisecond)
	}
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
	var s sample
	start := time.Now()
	command, address := startOnFreePort(b, program, "PAGE="+page, "DYNO=web.1", "GOMEMLIMIT=460MiB")
	defer func() { command.Process.Kill(); command.Wait() }()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	exchange(b, conn, make([]byte, 64<<10))
	conn.Close()
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
		b.Fatal(err)
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

// compressedSize is what gzip -9 makes of the content.
func compressedSize(content []byte) int {
	var compressed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	writer.Write(content)
	writer.Close()
	return compressed.Len()
}

// debian makes debian:12-slim, near enough.
const debian = `docker image inspect heroku-go-example/debian:12 >/dev/null 2>&1 && exit
root=$(mktemp -d)
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man
tar -C "$root" -c . | docker import - heroku-go-example/debian:12
rm -rf "$root"`

// BenchmarkImages logs the README's table: the server in this image, in Debian's and in the compiler's.
func BenchmarkImages(b *testing.B) {
	run(b, ".", os.Environ(), debian)
	dir := checkout(b)
	tags := []string{"heroku-go-example-e2e:ours", "heroku-go-example-e2e:debian", "heroku-go-example-e2e:compiler"}
	build(b, dir, classic, tags[0], "")
	for tag, dockerfile := range map[string]string{
		tags[1]: "FROM " + tags[0] + " AS ours\nFROM heroku-go-example/debian:12\nCOPY --from=ours /server /server\n",
		tags[2]: "FROM " + goImage + "\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -buildvcs=false -o /server .\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
			b.Fatal(err)
		}
		build(b, dir, classic, tag, "")
	}
	for _, tag := range tags {
		size, files := 0, 0
		for _, layer := range layers(b, tag) {
			size += compressedSize(layer)
			for header := range untar(b, layer) {
				if header.Typeflag != tar.TypeDir {
					files++
				}
			}
		}
		b.Logf("%-30s %6.1f MB compressed, %5d files", tag, float64(size)/1e6, files)
	}
	b.ReportMetric(0, "ns/op") // It means nothing here.
}
