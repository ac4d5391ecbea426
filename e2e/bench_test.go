package e2e

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
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

// servers are those that BenchmarkServers compares, with what they lack of this one's. The first is the measure of the others.
// All but this one are in the folder peers/.
var servers = []struct{ name, lacks string }{
	{"bare", "all but the page and two headers"},
	{"floor", "router, limits, panics"},
	{"server", ""},
	{"fiber", "net/http"},
	{"echo", ""},
	{"gin", ""},
	{"handlers", "the request's id in the log"},
	{"chi", ""},
}

// BenchmarkServers prints a table of this server, as built for the image, beside others that answer the same, and draws it. All
// have the settings of the garbage collector that this one has on Heroku.
func BenchmarkServers(b *testing.B) {
	dir := b.TempDir()
	run(b, "..", goEnv(), strings.Replace(goBuild, "-o result-server", "-o "+dir+"/server", 1))
	run(b, "peers", goEnv(), strings.Replace(goBuild, "-o result-server .", "-o "+dir+" ./...", 1))
	command := amongItsFiles(dir + "/server")
	address := startOnFreePort(b, command, "DYNO=web.1")
	want := ask(b, address)
	command.Process.Kill()
	command.Wait()
	os.WriteFile(dir+"/answer", want, 0o644)

	// Rounds alternate, so that other work of the machine slows all.
	const rounds, requests = 16, 25_000
	measured := make([][]sample, len(servers))
	for round := range rounds {
		for i, server := range servers {
			s := measure(b, filepath.Join(dir, server.name), requests, "ANSWER=/answer", "DYNO=web.1", "GOMEMLIMIT=460MiB", "GOGC=400")
			if server.name != "bare" {
				sameAnswer(b, server.name, s.answer, want)
			}
			if round > 0 { // The first one warms up the machine.
				measured[i] = append(measured[i], s)
			}
		}
	}

	fmt.Println("| server | CPU | CPU beside the floor's | throughput | p99 | start | idle MB | loaded MB | gzip -9 MB | it lacks |")
	fmt.Println("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")
	var bars []bar
	for i, server := range servers {
		// beside are the values divided by another server's in the same round.
		beside := func(other int, value func(s sample) float64) spread {
			var values spread
			for round, s := range measured[i] {
				values = append(values, value(s)/value(measured[other][round]))
			}
			return values
		}
		megabytes := func(value func(s sample) int64) spread {
			var values spread
			for _, s := range measured[i] {
				values = append(values, float64(value(s))/1e6)
			}
			return values
		}
		cpu := func(s sample) float64 { return s.cpu.Seconds() }
		size := float64(compressedSize(b, []byte(read(b, filepath.Join(dir, server.name))))) / 1e6
		fmt.Printf("| %s | %v | %v | %v | %v | %v | %v | %v | %.2f | %s |\n", server.name, beside(0, cpu), beside(1, cpu),
			beside(0, func(s sample) float64 { return s.throughput }),
			beside(0, func(s sample) float64 { return s.p99.Seconds() }),
			beside(0, func(s sample) float64 { return s.start.Seconds() }),
			megabytes(func(s sample) int64 { return s.idle }), megabytes(func(s sample) int64 { return s.loaded }), size, server.lacks)
		median := beside(0, cpu).median()
		bars = append(bars, bar{server.name, median, fmt.Sprintf("%.2f", median), server.name == "server"})
	}
	draw(b, "servers", "CPU time per request beside a bare net/http server", bars)
	b.ReportMetric(0, "ns/op") // It means nothing here.
}

// A spread prints as the median and the ends.
type spread []float64

func (s spread) median() float64 { return slices.Sorted(slices.Values(s))[len(s)/2] }

// beside are the values divided by another's in the same round.
func (s spread) beside(other spread) (ratios spread) {
	for i, value := range s {
		ratios = append(ratios, value/other[i])
	}
	return ratios
}

func (s spread) String() string {
	return fmt.Sprintf("%.2f [%.2f..%.2f]", s.median(), slices.Min(s), slices.Max(s))
}

// sameAnswer stops the comparison with a server that does less.
func sameAnswer(b *testing.B, name string, got, want []byte) {
	parse := func(answer []byte) (http.Header, string) {
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
		if err != nil {
			b.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		return response.Header, string(body)
	}
	gotHeader, gotBody := parse(got)
	wantHeader, wantBody := parse(want)
	for header, values := range wantHeader {
		if header != "Date" && gotHeader.Get(header) != values[0] {
			b.Fatalf("%s: got the header %s: %q, want %q", name, header, gotHeader.Get(header), values[0])
		}
	}
	if gotBody != wantBody {
		b.Fatalf("%s does not answer with the page: %q", name, gotBody)
	}
}

// amongItsFiles is a program that sees no files but those beside it, as in the image: net/http, for one, reads the system's table
// of file types. There is no /proc either.
func amongItsFiles(program string) *exec.Cmd {
	command := exec.Command("/" + filepath.Base(program))
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: filepath.Dir(program)}
	return command
}

// startOnFreePort starts a server and waits until it listens.
func startOnFreePort(b testing.TB, command *exec.Cmd, env ...string) (address string) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	startOn(b, address, command, env...)
	return address
}

func startOn(b testing.TB, address string, command *exec.Cmd, env ...string) {
	_, port, _ := net.SplitHostPort(address)
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
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not listen", command.Path)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

type sample struct {
	answer     []byte
	start      time.Duration // from the process's start to its first answer
	idle       int64         // resident bytes after that, 0 where there is no /proc
	loaded     int64         // resident bytes after all requests
	cpu        time.Duration // of the process for one request
	throughput float64       // requests per second
	p99        time.Duration
}

// measure runs a server and sends it n requests over 64 connections.
func measure(b *testing.B, program string, n int, env ...string) sample {
	var s sample
	start := time.Now()
	command := amongItsFiles(program)
	address := startOnFreePort(b, command, env...)
	defer func() { command.Process.Kill(); command.Wait() }()
	s.answer = ask(b, address)
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
				if exchange(b, conn, buffer) == nil {
					return
				}
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
	s.loaded = resident(command.Process.Pid)
	return s
}

func ask(b *testing.B, address string) []byte {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	return exchange(b, conn, make([]byte, 64<<10))
}

// exchange sends a request as the router does and reads the answer.
func exchange(b *testing.B, conn net.Conn, buffer []byte) []byte {
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: https\r\nVia: 1.1 heroku-router\r\nX-Forwarded-For: 198.51.100.7\r\n"+
		"X-Forwarded-Port: 443\r\nX-Request-Id: 01234567-89ab-cdef-0123-456789abcdef\r\nX-Request-Start: 1790000000000\r\nVia: 1.1 heroku-router\r\n\r\n")
	for read := 0; ; {
		n, err := conn.Read(buffer[read:])
		if err != nil {
			b.Error(err)
			return nil
		}
		read += n
		header, body, ok := bytes.Cut(buffer[:read], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		_, length, _ := bytes.Cut(header, []byte("Content-Length: "))
		length, _, _ = bytes.Cut(length, []byte("\r\n"))
		if want, err := strconv.Atoi(string(length)); err != nil || len(body) > want {
			b.Errorf("got the answer %q", buffer[:read])
			return nil
		} else if len(body) == want {
			return buffer[:read]
		}
	}
}

// cpuTime is what the process's threads have used so far, on Linux.
func cpuTime(b *testing.B, command *exec.Cmd) (sum time.Duration) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", command.Process.Pid))
	if err != nil || threads == nil {
		b.Fatal("no /proc/PID/task/*/schedstat: this needs Linux")
	}
	for _, thread := range threads {
		nanoseconds, _, _ := strings.Cut(read(b, thread), " ")
		n, err := strconv.ParseInt(nanoseconds, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n)
	}
	return sum
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
func compressedSize(b *testing.B, content []byte) int {
	gzip := exec.Command("gzip", "-9")
	gzip.Stdin = bytes.NewReader(content)
	compressed, err := gzip.Output()
	if err != nil {
		b.Fatal(err)
	}
	return len(compressed)
}

// debian makes debian:12-slim, near enough, and of that a base image without a shell, as distroless/static is.
const debian = `docker image inspect heroku-go-example/distroless heroku-go-example/debian:12 >/dev/null 2>&1 && exit
root=$(mktemp -d)
debootstrap --variant=minbase --include=ca-certificates,tzdata bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man
tar -C "$root" -c . | docker import - heroku-go-example/debian:12
tar -C "$root" -c etc/passwd etc/group etc/nsswitch.conf usr/lib/os-release etc/ssl/certs/ca-certificates.crt usr/share/zoneinfo |
  docker import - heroku-go-example/distroless
rm -rf "$root"`

// BenchmarkImages prints and draws the server in this image, and in others.
func BenchmarkImages(b *testing.B) {
	run(b, ".", os.Environ(), debian)
	dir := checkout(b)
	const ours = "heroku-go-example-e2e:ours"
	var bars []bar
	for _, image := range []struct{ name, dockerfile string }{
		{"this image", ""},
		{"distroless-like base", "FROM " + ours + " AS ours\nFROM heroku-go-example/distroless\nCOPY --from=ours /server /server\n"},
		{"Debian base", "FROM " + ours + " AS ours\nFROM heroku-go-example/debian:12\nCOPY --from=ours /server /server\n"},
		{"Go compiler base", "FROM " + goImage + "\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -buildvcs=false -o /server .\n"},
	} {
		tag := ours
		if image.dockerfile != "" {
			tag = "heroku-go-example-e2e:other"
			if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(image.dockerfile), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		build(b, dir, classic, tag, "")
		size, files := 0, 0
		for _, layer := range layers(b, tag) {
			size += compressedSize(b, layer)
			for header := range untar(b, layer) {
				if header.Typeflag != tar.TypeDir {
					files++
				}
			}
		}
		text := fmt.Sprintf("%.1f MB, %d files", float64(size)/1e6, files)
		if files == 1 {
			text = strings.TrimSuffix(text, "s")
		}
		fmt.Println(image.name+":", text)
		bars = append(bars, bar{image.name, float64(size), text, tag == ours})
	}
	draw(b, "images", "The same server in four images: compressed size and number of files", bars)
	b.ReportMetric(0, "ns/op") // It means nothing here.
}

// A bar of a picture.
type bar struct {
	name  string
	value float64
	text  string // beside the bar
	ours  bool
}

// draw writes the files NAME-light.svg and NAME-dark.svg.
func draw(b *testing.B, name, title string, bars []bar) {
	longest := slices.MaxFunc(bars, func(x, y bar) int { return cmp.Compare(x.value, y.value) }).value
	for scheme, colors := range map[string]struct{ text, ours, other string }{
		"light": {"#1f2328", "#0969da", "#8c959f"},
		"dark":  {"#e6edf3", "#4493f8", "#6e7681"},
	} {
		var svg strings.Builder
		fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 %d" font-family="sans-serif" font-size="14" fill="%s">`+"\n", 40+28*len(bars), colors.text)
		fmt.Fprintf(&svg, `<text x="0" y="18" font-weight="bold">%s</text>`+"\n", title)
		for i, bar := range bars {
			y, width, color := 34+28*i, 360*bar.value/longest, colors.other
			if bar.ours {
				color = colors.ours
			}
			fmt.Fprintf(&svg, `<text x="170" y="%d" text-anchor="end">%s</text>`, y+15, bar.name)
			fmt.Fprintf(&svg, `<rect x="180" y="%d" width="%.1f" height="20" rx="2" fill="%s"/>`, y, width, color)
			fmt.Fprintf(&svg, `<text x="%.1f" y="%d">%s</text>`+"\n", 188+width, y+15, bar.text)
		}
		svg.WriteString("</svg>\n")
		if err := os.WriteFile(name+"-"+scheme+".svg", []byte(svg.String()), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// usual is a Dockerfile as many services have it. The number keeps its caches apart from those of another run.
const usual = `FROM %[1]s AS build
WORKDIR /src
COPY . .
ENV GOMODCACHE=/modcache GOCACHE=/cache
RUN --mount=type=cache,target=/modcache,id=mod%[2]d --mount=type=cache,target=/cache,id=build%[2]d \
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /server .
FROM heroku-go-example/distroless
COPY --from=build /server /server
ENTRYPOINT ["/server"]
`

// BenchmarkBuilds prints a table of the ways to build an image: all at once, after an edit, after one that adds an import, and
// what a registry gets after an edit. Each round has all ways, so that other work of the machine slows all.
func BenchmarkBuilds(b *testing.B) {
	const rounds = 5
	run(b, ".", os.Environ(), debian)
	dir := b.TempDir()
	run(b, ".", append(os.Environ(), "GOTOOLCHAIN=go"+goVersion(), "GOBIN="+dir), "go install github.com/google/ko@v0.19.1")
	modules, _ := filepath.Abs(".tools/modules")
	registry := serveRegistry(b, dir)
	run(b, ".", os.Environ(), "docker tag heroku-go-example/distroless "+registry+"/base && docker push "+registry+"/base")

	base, image := withModules(b), registry+"/image"
	docker := buildKit + " docker build --network none --tag " + image
	push := "docker push " + image
	ko := "GOPROXY=file://" + modules + " $DIR/ko build --bare --sbom=none"

	ways := []struct{ name, build, push string }{
		{"docker build", docker + " --build-arg GO_IMAGE=$BASE .", push},
		{"docker build, a usual Dockerfile", docker + " --file $DIR/usual .", push},
		{"nix build", "nix build --store $STORE --out-link $DIR/result .#image",
			"skopeo copy --dest-tls-verify=false --dest-compress-format gzip --dest-compress-level 9 docker-archive:$STORE$(readlink $DIR/result) docker://" + image},
		{"ko build", ko + " --push=false .", ko + " ."},
	}
	peers := []int{1, 1, 3, 3} // Those that the ways are compared with.
	fmt.Println("| service | build | cold s | beside | after an edit s | beside | after a new import s | beside | pushed MB |")
	fmt.Println("|---|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, subject := range []struct{ name, newImport string }{{"this server", "net/rpc"}, {"grpc", "google.golang.org/grpc/reflection"}} {
		measured := make([]struct{ cold, edit, newImport spread }, len(ways))
		pushed := make([]int64, len(ways))
		for round := range rounds {
			s := &service{dir: checkout(b), env: os.Environ()}
			if subject.name != "this server" {
				s = newService(b, subject.name, grpcHash)
			}
			store, dockerfile := b.TempDir(), filepath.Join(dir, "usual")
			os.WriteFile(dockerfile, fmt.Appendf(nil, usual, base, time.Now().UnixNano()), 0o644)
			env := append(s.env, "GOCACHE="+b.TempDir(), "KO_DOCKER_REPO="+image, "KO_DEFAULTBASEIMAGE="+registry+"/base", "GOFLAGS=-buildvcs=false",
				"GOTOOLCHAIN=go"+goVersion(), "BASE="+base, "STORE="+store, "DIR="+dir)
			// Docker and ko have Go, too.
			run(b, s.dir, env, withDouble(b, s.dir, "nix build --store $STORE --no-link .#toolchain"))
			for i, way := range ways {
				run(b, ".", os.Environ(), "docker builder prune --all --force") // It has what another way has compiled.
				seconds := func(edit string) float64 {
					run(b, s.dir, env, edit+" && git add --all")
					build := way.build
					if strings.HasPrefix(build, "nix ") {
						build = withDouble(b, s.dir, build)
					}
					start := time.Now()
					run(b, s.dir, env, build)
					return time.Since(start).Seconds()
				}
				m := &measured[i]
				m.cold = append(m.cold, seconds("rm -f more.go"))
				if round == 0 {
					run(b, s.dir, env, way.push)
				}
				var edits spread
				for range 3 {
					edits = append(edits, seconds(fmt.Sprintf("echo 'func init() { println(%d) }' >>main.go", time.Now().UnixNano())))
				}
				m.edit = append(m.edit, edits.median())
				if round == 0 {
					before := stored(b, dir)
					run(b, s.dir, env, way.push)
					pushed[i] = stored(b, dir) - before
				}
				m.newImport = append(m.newImport, seconds(fmt.Sprintf("printf 'package main\\nimport _ \"%s\"\\n' >more.go", subject.newImport)))
			}
		}
		for i, way := range ways {
			m, peer := measured[i], measured[peers[i]]
			fmt.Printf("| %s | %s | %.1f | %v | %.2f | %v | %.2f | %v | %.2f |\n", subject.name, way.name, m.cold.median(), m.cold.beside(peer.cold),
				m.edit.median(), m.edit.beside(peer.edit), m.newImport.median(), m.newImport.beside(peer.newImport), float64(pushed[i])/1e6)
		}
	}
	b.ReportMetric(0, "ns/op") // It means nothing here.
}

// serveRegistry runs a registry that keeps its blobs in the folder, and returns its address.
func serveRegistry(b testing.TB, dir string) string {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	config := filepath.Join(dir, "registry.yml")
	os.WriteFile(config, fmt.Appendf(nil, "version: 0.1\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\nlog: {accesslog: {disabled: true}}\n",
		filepath.Join(dir, "registry"), address), 0o644)
	command := exec.Command("docker-registry", "serve", config)
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	atEnd(b, func() { command.Process.Kill(); command.Wait() })
	eventually(b, "the registry to listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

// stored is how many bytes the registry has.
func stored(b *testing.B, dir string) (bytes int64) {
	filepath.WalkDir(filepath.Join(dir, "registry"), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && entry.Name() == "data" {
			bytes += info.Size()
		}
		return err
	})
	return bytes
}
