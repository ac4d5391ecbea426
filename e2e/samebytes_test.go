package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// goBuild is the command in the README.
const goBuild = `go build -trimpath -buildvcs=false -tags=nethttpomithttp2 -ldflags "-s -w -buildid=" -o server .`

// goEnv is the environment for goBuild, with the toolchain that the Dockerfile names.
func goEnv() []string {
	return append(os.Environ(), "GOTOOLCHAIN=go"+goVersion(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOPROXY=off")
}

// otherCheckout is a checkout in a folder with a longer name, without a git repository, with other times and modes.
func otherCheckout(t *testing.T) string {
	t.Helper()
	// BuildKit takes a file of the same folder name, size and time for the one that it has seen before.
	id := rand.Uint32()
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("a-folder-with-a-longer-name-%d", id))
	if err := os.Rename(checkout(t), dir); err != nil {
		t.Fatal(err)
	}
	run(t, dir, os.Environ(), fmt.Sprintf("rm -r .git && find . -exec touch --no-dereference --date @%d {} + && chmod -R go+w .", id))
	return dir
}

func TestEveryDoorGivesTheSameExecutable(t *testing.T) {
	one, two := checkout(t), otherCheckout(t)
	sums := make(map[string]string)
	add := func(door string, executable []byte) {
		sums[door] = fmt.Sprintf("%x", sha256.Sum256(executable))
		t.Logf("%s  %s", sums[door], door)
	}

	run(t, one, goEnv(), goBuild)
	add("go build, in a git repository", []byte(read(t, filepath.Join(one, "server"))))
	run(t, two, append(goEnv(), "GOCACHE="+t.TempDir()), goBuild)
	add("go build, in another folder without git, with an empty cache", []byte(read(t, filepath.Join(two, "server"))))

	const classicTag, buildKitTag = "heroku-go-example-e2e:classic", "heroku-go-example-e2e:buildkit"
	build(t, one, classic, classicTag, "--no-cache --network none")
	build(t, two, buildKit, buildKitTag, "--no-cache --network none")
	add("docker, classic builder", server(t, classicTag))
	add("docker, BuildKit", server(t, buildKitTag))
	if !bytes.Equal(layers(t, classicTag)[0], layers(t, buildKitTag)[0]) {
		t.Error("docker's two builders give different layers")
	}

	run(t, one, os.Environ(), "rm server")
	nix(t, one, os.Environ(), "nix build .#server")
	add("nix", []byte(read(t, filepath.Join(one, "result/bin/server"))))
	nix(t, one, os.Environ(), "nix build .#server --rebuild")
	nix(t, two, os.Environ(), "nix build path:.#server")
	add("nix, in another folder without git", []byte(read(t, filepath.Join(two, "result/bin/server"))))

	for door, sum := range sums {
		if sum != sums["nix"] {
			t.Errorf("%s gives the sha256 %s, nix %s", door, sum, sums["nix"])
		}
	}
}

func TestTheImageIDDependsOnTheContentsAlone(t *testing.T) {
	one, two := checkout(t), otherCheckout(t)
	nix(t, one, os.Environ(), "nix build .#image.id")
	want := read(t, filepath.Join(one, "result"))
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}\n$`).MatchString(want) {
		t.Fatalf("got the ID %q", want)
	}
	t.Log("image ID: ", want)
	nix(t, two, os.Environ(), "nix build path:.#image.id")
	if got := read(t, filepath.Join(two, "result")); got != want {
		t.Errorf("from another folder: got %s, want %s", got, want)
	}

	// With --rebuild, Nix fails when the outcome is another one.
	nix(t, one, os.Environ(), "nix build .#image --rebuild")
	// As on macOS: another build folder, and the group 0 is called wheel.
	group := filepath.Join(t.TempDir(), "group")
	if err := os.WriteFile(group, []byte("wheel:x:0:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := "mount --bind " + group + " /etc/group && " + withDouble("nix build .#image --rebuild --option sandbox false")
	run(t, one, os.Environ(), "unshare --mount sh -c '"+script+"'")
}

func TestNixCompilesOnlyWhatAnEditTouches(t *testing.T) {
	dir := checkout(t)
	derivation := func(name string) string {
		t.Helper()
		return nix(t, dir, os.Environ(), "nix eval --raw .#"+name+".drvPath 2>/dev/null")
	}
	server, dependencies := derivation("server"), derivation("dependencies")
	run(t, dir, os.Environ(), "echo >>README.md; echo >>e2e/image_test.go; echo >>main_test.go; echo >>internal/herokutest/api.go")
	if got := derivation("server"); got != server {
		t.Errorf("the README and tests are part of the server's build")
	}
	run(t, dir, os.Environ(), "echo >>main.go")
	if got := derivation("server"); got == server {
		t.Errorf("main.go is no part of the server's build")
	}
	if got := derivation("dependencies"); got != dependencies {
		t.Errorf("main.go is part of the dependencies' build")
	}

	// The build lists what it compiles.
	run(t, dir, os.Environ(), fmt.Sprintf("echo 'var edited = %d' >>main.go", time.Now().UnixNano())) // Nix remembers what it has built once.
	var compiled []string
	for line := range strings.Lines(nix(t, dir, os.Environ(), "nix build .#server --print-build-logs")) {
		if name, ok := strings.CutPrefix(line, "server> "); ok {
			compiled = append(compiled, strings.TrimSpace(name))
		}
	}
	module := strings.TrimSpace(run(t, dir, os.Environ(), "go list -m"))
	for _, name := range compiled {
		if !strings.HasPrefix(name, module) {
			t.Errorf("%s is compiled after an edit of main.go: add it to the line `go build log/slog ...` in Dockerfile and nix/dependencies.nix", name)
		}
	}
	if len(compiled) == 0 {
		t.Error("main.go is edited and nothing is compiled")
	}
}

func TestNixAndDockerCompileTheSameDependenciesWithTheSameFlags(t *testing.T) {
	dockerfile, dependencies := read(t, "../Dockerfile"), read(t, "../nix/dependencies.nix")
	for _, pattern := range []string{`go build \$\(go list .*`, `go build log/slog .*`, `-mod=vendor -trimpath [^"]*`} {
		docker, nix := regexp.MustCompile(pattern).FindString(dockerfile), regexp.MustCompile(pattern).FindString(dependencies)
		if docker == "" || nix != docker {
			t.Errorf("got %q in nix/dependencies.nix, want %q as in Dockerfile", nix, docker)
		}
	}
	if want := fmt.Sprintf("version = %q;", goVersion()); !strings.Contains(read(t, "../nix/toolchain.nix"), want) {
		t.Errorf("nix/toolchain.nix has no line %s, which is the Dockerfile's version of Go", want)
	}
}
