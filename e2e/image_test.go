package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	classic  = "DOCKER_BUILDKIT=0" // what Heroku's own builder is like
	buildKit = "DOCKER_BUILDKIT=1"
)

// build builds an image with the stand-in for the base image and returns what docker printed. The image loses its tag when
// the test ends.
func build(t testing.TB, dir, builder, tag, options string) string {
	t.Helper()
	atEnd(t, func() { exec.Command("docker", "rmi", tag).Run() })
	return run(t, dir, os.Environ(), fmt.Sprintf("%s docker build %s --build-arg GO_IMAGE=%s --tag %s .", builder, options, goImage, tag))
}

// layers returns the image's layers, uncompressed.
func layers(t testing.TB, tag string) [][]byte {
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

func untar(t testing.TB, archive []byte) map[*tar.Header][]byte {
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
func server(t testing.TB, tag string) []byte {
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

	if got, want := config(t, tag), "[/server] [web] 10001:10001"; got != want {
		t.Errorf("got ENTRYPOINT, CMD and USER %s, want %s", got, want)
	}
}

// config returns ENTRYPOINT, CMD and USER of an image.
func config(t *testing.T, tag string) string {
	t.Helper()
	return strings.TrimSpace(run(t, ".", os.Environ(), "docker inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.User}}' "+tag))
}

// startContainer runs the image, which may have options before it, as strictly as any platform does. It returns the
// container's name and address.
func startContainer(t testing.TB, image string) (name, address string) {
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
	startContainer(t, "heroku-go-example-e2e:container ''") // So `heroku container:run web` does it.
	if out, err := try(t, ".", os.Environ(), "docker exec --env PORT=1 "+name+" /server healthcheck"); err == nil {
		t.Errorf("healthcheck of a port where nobody listens: want an error, got %q", out)
	}
}
