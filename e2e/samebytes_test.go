package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// goBuild is the command in the README, without its settings.
const goBuild = `go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o result-server .`

// goEnv is the environment for goBuild, with the toolchain that go.mod names.
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

// windowsClone clones a checkout as git does on Windows by default.
func windowsClone(t *testing.T, dir string) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	run(t, dir, os.Environ(), commit+" && git clone --quiet --config core.autocrlf=true --config core.symlinks=false . "+clone)
	return clone
}

func TestEveryWayToBuildGivesTheSameExecutable(t *testing.T) {
	one, two := checkout(t), otherCheckout(t)
	clone := windowsClone(t, one)
	sums := make(map[string]string)
	add := func(way string, executable []byte) {
		sums[way] = fmt.Sprintf("%x", sha256.Sum256(executable))
		t.Logf("%s  %s", sums[way], way)
	}

	run(t, one, goEnv(), goBuild)
	add("go build, in a git repository", []byte(read(t, filepath.Join(one, "result-server"))))
	run(t, clone, append(goEnv(), "GOCACHE="+t.TempDir()), goBuild)
	add("go build, in a clone of Windows, with an empty cache", []byte(read(t, filepath.Join(clone, "result-server"))))

	const classicTag, buildKitTag, cloneTag = "heroku-go-example-e2e:classic", "heroku-go-example-e2e:buildkit", "heroku-go-example-e2e:clone"
	build(t, one, classic, classicTag, "--network none")
	build(t, two, buildKit, buildKitTag, "--network none")
	build(t, clone, classic, cloneTag, "--network none")
	add("docker, classic builder", server(t, classicTag))
	add("docker, BuildKit", server(t, buildKitTag))
	add("docker, in a clone of Windows", server(t, cloneTag))
	if !bytes.Equal(layers(t, classicTag)[0], layers(t, buildKitTag)[0]) {
		t.Error("docker's two builders give different layers")
	}

	nix(t, one, os.Environ(), "nix build .#server")
	add("nix", []byte(read(t, filepath.Join(one, "result/bin/server"))))
	nix(t, one, os.Environ(), "nix build .#server --rebuild")
	nix(t, two, os.Environ(), "nix build path:.#server")
	add("nix, in another folder without git", []byte(read(t, filepath.Join(two, "result/bin/server"))))

	for way, sum := range sums {
		if sum != sums["nix"] {
			t.Errorf("%s gives the sha256 %s, nix %s", way, sum, sums["nix"])
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
	script := "mount --bind " + group + " /etc/group && " + withDouble(t, one, "nix build .#image --rebuild --option sandbox false")
	run(t, one, os.Environ(), "unshare --mount sh -c '"+script+"'")
}

// compiled returns the packages that `go build -v` says it has compiled.
func compiled(log string) []string {
	var packages []string
	color := regexp.MustCompile(`\x1b\[\d+m`) // Docker's classic builder adds it.
	for _, match := range regexp.MustCompile(`(?m)^(?:\S+> )?([a-z][\w.-]*(?:/[\w.-]+)*)$`).FindAllStringSubmatch(color.ReplaceAllString(log, ""), -1) {
		packages = append(packages, match[1])
	}
	slices.Sort(packages) // The order is not always the same.
	return packages
}

// Go writes the files of its cache that it uses again after an hour, and deletes others after five days.
func TestNoFileOfGosCacheInALayerGrowsOld(t *testing.T) {
	const tag = "heroku-go-example-e2e:age"
	build(t, checkout(t), classic, tag, "--target build")
	layers := layers(t, tag)
	files := 0
	for _, layer := range layers[:len(layers)-1] { // The last one is the service's.
		for header := range untar(t, layer) {
			if !strings.HasPrefix(header.Name, "cache/") || header.Typeflag != tar.TypeReg {
				continue
			}
			files++
			if header.ModTime.Year() < 2036 {
				t.Errorf("%s is dated %v, want a date far in the future", header.Name, header.ModTime)
			}
		}
	}
	if files < 500 {
		t.Errorf("got %d files of Go's cache, want those of the dependencies", files)
	}
}

func TestAfterAnEditOnlyTheServiceIsCompiled(t *testing.T) {
	dir := checkout(t)
	ways := map[string]func() string{
		"docker": func() string { return build(t, dir, classic, "heroku-go-example-e2e:edit", "") },
		"nix":    func() string { return nix(t, dir, os.Environ(), "nix build .#server --no-link --print-build-logs") },
	}
	edited := time.Now().UnixNano() // Both remember what they have built once.
	edit := func(command string) {
		t.Helper()
		run(t, dir, os.Environ(), command+"; git add --all")
	}
	edit(fmt.Sprintf("echo 'var begun = %d' >>main.go", edited))
	for _, build := range ways {
		build()
	}
	service := strings.Fields(run(t, dir, os.Environ(), "go list -f '{{.ImportPath}}' ./..."))
	for _, test := range []struct {
		edit string
		want []string
	}{
		{"for file in README.md main_test.go internal/web/web_test.go nix/shell.nix elsewhere/kubernetes.yaml; do echo >>$file; done", nil},
		{fmt.Sprintf("echo 'var edited = %d' >>main.go", edited), service},
	} {
		edit(test.edit)
		for way, build := range ways {
			if got := compiled(build()); !slices.Equal(got, test.want) {
				t.Errorf("after %s %s compiles %q, want %q", test.edit, way, got, test.want)
			}
		}
	}
	// A new import compiles the dependencies, too, unless they are remembered, but never net/http and what that imports.
	edit(fmt.Sprintf(`printf 'package main\nimport _ "net/rpc"\nvar more = %d\n' >more.go`, edited))
	for way, build := range ways {
		got := compiled(build())
		for _, want := range service {
			if !slices.Contains(got, want) {
				t.Errorf("after a new import %s compiles %q, want %s, too", way, got, want)
			}
		}
		for _, kept := range strings.Fields(run(t, dir, goEnv(), "go list -deps net/http")) {
			if slices.Contains(got, kept) {
				t.Errorf("after a new import %s compiles %s, which net/http has brought", way, kept)
			}
		}
	}
}
