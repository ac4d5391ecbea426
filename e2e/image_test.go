package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	classic  = "DOCKER_BUILDKIT=0" // what Heroku's own builder is like
	buildKit = "DOCKER_BUILDKIT=1"
)

// build builds an image with the stand-in for the base image and returns what docker printed. The image loses its tag when
// the test ends.
func build(t *testing.T, dir, builder, tag, options string) string {
	t.Helper()
	atEnd(t, func() { exec.Command("docker", "rmi", tag).Run() })
	return run(t, dir, os.Environ(), fmt.Sprintf("%s docker build %s --build-arg GO_IMAGE=%s --tag %s .", builder, options, goImage, tag))
}

// layers returns the image's layers, uncompressed.
func layers(t *testing.T, tag string) [][]byte {
	t.Helper()
	saved, err := exec.Command("docker", "save", tag).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for name, content := range untar(t, saved) {
		files[name.Name] = content
	}
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	var layers [][]byte
	for _, name := range manifest[0].Layers {
		layers = append(layers, files[name])
	}
	return layers
}

func untar(t *testing.T, archive []byte) map[*tar.Header][]byte {
	t.Helper()
	files := make(map[*tar.Header][]byte)
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

// server returns the executable in the image.
func server(t *testing.T, tag string) []byte {
	t.Helper()
	for header, content := range untar(t, layers(t, tag)[0]) {
		if header.Name == "server" {
			return content
		}
	}
	t.Fatalf("%s has no /server", tag)
	return nil
}

func TestTheImageIsOneFile(t *testing.T) {
	const tag = "heroku-go-example-e2e:file"
	build(t, checkout(t), classic, tag, "")
	layer := layers(t, tag)
	if len(layer) != 1 {
		t.Fatalf("got %d layers, want 1", len(layer))
	}
	var list []string
	for header := range untar(t, layer[0]) {
		list = append(list, fmt.Sprintf("%v %d:%d %s", header.FileInfo().Mode(), header.Uid, header.Gid, header.Name))
	}
	slices.Sort(list)
	if want := []string{"-rwxr-xr-x 0:0 server", "dtrwxrwxrwx 0:0 tmp/"}; !slices.Equal(list, want) {
		t.Errorf("got the files %q, want %q", list, want)
	}

	var compressed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	writer.Write(layer[0])
	writer.Close()
	t.Logf("layer: %d bytes, compressed %d", len(layer[0]), compressed.Len())
	// Of that, a bare net/http server is 2.2 MB, log/slog with the JSON that it brings along 0.4, certificates and zones 0.2, metrics 0.15.
	if compressed.Len() > 3_300_000 {
		t.Errorf("the layer has %d bytes compressed, want 3.3 MB at most: raise this limit if what you add is worth it", compressed.Len())
	}

	config := run(t, ".", os.Environ(), "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' "+tag)
	if config != "[\"/server\"] [\"web\"]\n" {
		t.Errorf("got ENTRYPOINT and CMD %s, want /server and web", config)
	}
}

func TestAnEditOfTheProjectsOwnCodeLeavesTheDependenciesInTheCache(t *testing.T) {
	dir := checkout(t)
	build(t, dir, classic, "heroku-go-example-e2e:edit", "")
	run(t, dir, os.Environ(), fmt.Sprintf("echo 'var edited = %d' >>main.go", time.Now().UnixNano())) // Docker remembers what it has built once.
	var got []string
	for step := range strings.SplitSeq(build(t, dir, classic, "heroku-go-example-e2e:edit", ""), "Step ") {
		if strings.Contains(step, "go build ") {
			got = append(got, fmt.Sprint("cached: ", strings.Contains(step, "Using cache")))
		}
	}
	if want := []string{"cached: true", "cached: true", "cached: false"}; !slices.Equal(got, want) {
		t.Errorf("the three steps that compile are %q, want %q", got, want)
	}

	// What the last one compiles is the project's own.
	var compiled []string
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=-mod=vendor")
	for _, command := range regexp.MustCompile(`(?m)^RUN go build (.*)$`).FindAllStringSubmatch(read(t, "../Dockerfile"), -1) {
		compiled = append(compiled, strings.Fields(run(t, dir, env, "go list -deps "+command[1]))...)
	}
	module := strings.TrimSpace(run(t, dir, env, "go list -m"))
	for _, name := range strings.Fields(run(t, dir, env, "go list -deps .")) {
		if !slices.Contains(compiled, name) && !strings.HasPrefix(name, module) {
			t.Errorf("%s is compiled again after each edit: add it to the line `go build log/slog ...` in Dockerfile and nix/dependencies.nix", name)
		}
	}
}

// startContainer runs the image, which may have options before it, as strictly as any platform does. It returns the
// container's name and address.
func startContainer(t *testing.T, image string) (name, address string) {
	t.Helper()
	name = fmt.Sprintf("heroku-go-example-e2e-%08x", rand.Uint32())
	atEnd(t, func() { exec.Command("docker", "rm", "--force", name).Run() })
	uid := 1000 + rand.IntN(60000)
	run(t, ".", os.Environ(), fmt.Sprintf("docker run --detach --name %s --user %d:%d --read-only --cap-drop ALL "+
		"--security-opt no-new-privileges --env PORT=5000 %s", name, uid, uid, image))
	ip := run(t, ".", os.Environ(), "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "+name)
	address = net.JoinHostPort(strings.TrimSpace(ip), "5000")
	eventually(t, "the container to listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return name, address
}

func TestAContainerNeedsNoRootNoCapabilitiesNoDiskAndNoTimeZonesOfTheSystem(t *testing.T) {
	build(t, checkout(t), classic, "heroku-go-example-e2e:container", "")
	name, address := startContainer(t, "--memory 64m --env TZ=Asia/Tokyo heroku-go-example-e2e:container")
	for _, path := range []string{"/", "/healthz", "/version"} {
		get(t, http.DefaultClient, "http://"+address+path)
	}
	if log := run(t, ".", os.Environ(), "docker logs "+name); !strings.Contains(log, "+09:00 level=INFO msg=request ") {
		t.Errorf("got the log %s, want the time in Tokyo", log)
	}
	run(t, ".", os.Environ(), "docker exec "+name+" /server healthcheck")
	if out, err := try(t, ".", os.Environ(), "docker exec --env PORT=1 "+name+" /server healthcheck"); err == nil {
		t.Errorf("healthcheck of a port where nobody listens: want an error, got %q", out)
	}
}

func TestAStopLosesNoneOf100RequestsInFlight(t *testing.T) {
	dir := checkout(t)
	addRoutes(t, dir)
	build(t, dir, classic, "heroku-go-example-e2e:slow", "")
	name, address := startContainer(t, "heroku-go-example-e2e:slow")

	answers := make(chan string, 100)
	for range 100 {
		go func() {
			response, err := http.Get("http://" + address + "/slow?for=5s")
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			answers <- fmt.Sprint(response.StatusCode, " ", string(body), err)
		}()
	}
	eventually(t, "100 requests in flight", func() bool {
		out, err := exec.Command("docker", "logs", name).CombinedOutput()
		return err == nil && strings.Count(string(out), "arrived") == 100
	})
	run(t, ".", os.Environ(), "docker kill --signal TERM "+name)
	if len(answers) > 0 {
		t.Fatal("some requests were answered before the signal")
	}
	for range 100 {
		if answer := <-answers; answer != "200 ok\n<nil>" {
			t.Errorf("got %q, want 200 ok", answer)
		}
	}
	if status := run(t, ".", os.Environ(), "docker wait "+name); status != "0\n" {
		t.Errorf("the server exited with status %s, want 0", status)
	}
}

// TestTheImageBesideTheUsualOnes logs the README's table: go test -v -run Beside ./e2e
func TestTheImageBesideTheUsualOnes(t *testing.T) {
	dir := checkout(t)
	const ours, debian, compiler = "heroku-go-example-e2e:ours", "heroku-go-example-e2e:debian", "heroku-go-example-e2e:compiler"
	build(t, dir, classic, ours, "")
	for tag, dockerfile := range map[string]string{
		debian:   "FROM " + ours + " AS ours\nFROM heroku-go-example/debian:12\nCOPY --from=ours /server /server\n",
		compiler: "FROM " + goImage + "\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -mod=vendor -buildvcs=false -o /server . \n",
	} {
		dockerfile += "ENTRYPOINT [\"/server\"]\nCMD [\"web\"]\n"
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
			t.Fatal(err)
		}
		build(t, dir, classic, tag, "")
	}
	size := make(map[string]int)
	for _, tag := range []string{ours, debian, compiler} {
		files := 0
		for _, layer := range layers(t, tag) {
			var compressed bytes.Buffer
			writer := gzip.NewWriter(&compressed)
			writer.Write(layer)
			writer.Close()
			size[tag] += compressed.Len()
			for header := range untar(t, layer) {
				if header.Typeflag != tar.TypeDir {
					files++
				}
			}
		}
		var starts []time.Duration
		var memory string
		for range 5 {
			start := time.Now()
			name, address := startContainer(t, tag)
			get(t, http.DefaultClient, "http://"+address+"/")
			starts = append(starts, time.Since(start))
			memory = run(t, ".", os.Environ(), "ps -o rss= -p $(docker inspect --format '{{.State.Pid}}' "+name+")")
		}
		slices.Sort(starts)
		t.Logf("%-30s %6.1f MB compressed, %5d files, first answer %3d ms after docker run, %s kB in memory",
			tag, float64(size[tag])/1e6, files, starts[2].Milliseconds(), strings.TrimSpace(memory))
	}
	if size[ours]*10 > size[debian] || size[ours]*20 > size[compiler] {
		t.Errorf("got the sizes %v, want a tenth of Debian's and a twentieth of the compiler's: lower this if what you add is worth it", size)
	}
}
