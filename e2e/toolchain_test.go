package e2e

import (
	"archive/zip"
	"debug/buildinfo"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// platforms are those that nix/toolchain.nix has hashes for.
var platforms = []string{"linux-amd64", "linux-arm64", "darwin-arm64"}

// goSources makes a module proxy that has go1.99.1 and go1.99.2 for the platforms, and a Docker Hub that has an image of the
// first. It returns an environment in which go and curl find them.
func goSources(t *testing.T, platforms ...string) []string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET auth.docker.io/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("service") == "registry.docker.io" && r.FormValue("scope") == "repository:library/golang:pull" {
			fmt.Fprint(w, `{"token": "t0ken", "access_token": "other"}`)
		}
	})
	mux.HandleFunc("HEAD registry-1.docker.io/v2/library/golang/manifests/{tag}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusUnauthorized)
		case r.PathValue("tag") == "1.99.1-alpine":
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("d", 64))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	home := t.TempDir()
	curlrc := fmt.Sprintf("insecure\nconnect-to = \"::%s\"\n", strings.TrimPrefix(server.URL, "https://"))
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte(curlrc), 0o644); err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	for _, platform := range platforms {
		for _, version := range []string{"v0.0.1-go1.99.1." + platform, "v0.0.1-go1.99.2." + platform} {
			addToolchain(t, proxy, version)
		}
	}
	return append(os.Environ(), "CURL_HOME="+home, "https_proxy=", "HTTPS_PROXY=", "GOPROXY=file://"+proxy, "GOSUMDB=off", "GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local")
}

// toolchainFiles are of a toolchain as the Go team publishes it.
var toolchainFiles = []string{"VERSION", "bin/go", "pkg/tool/linux_amd64/compile", "src/_go.mod", "src/cmd/_go.mod", "src/make.bash"}

// addToolchain adds a version of golang.org/toolchain to a module proxy.
func addToolchain(t *testing.T, proxy, version string) {
	t.Helper()
	base := filepath.Join(proxy, "golang.org/toolchain/@v", version)
	run(t, ".", os.Environ(), "mkdir -p "+filepath.Dir(base))
	for extension, content := range map[string]string{".info": `{"Version": "` + version + `"}`, ".mod": "module golang.org/toolchain\n"} {
		if err := os.WriteFile(base+extension, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(base + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	archive := zip.NewWriter(file)
	for _, name := range toolchainFiles {
		w, err := archive.Create("golang.org/toolchain@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(w, name, version)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
}

// toolchainHash is the hash that Nix has of a toolchain from addToolchain.
func toolchainHash(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range toolchainFiles {
		file := filepath.Join(dir, strings.Replace(name, "_go.mod", "go.mod", 1))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") || strings.HasPrefix(name, "pkg/") {
			mode = 0o755
		}
		run(t, dir, os.Environ(), "mkdir -p "+filepath.Dir(file))
		if err := os.WriteFile(file, []byte(name+" "+version+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSpace(run(t, dir, os.Environ(), "nix hash path ."))
}

func TestANewerGoIsPinnedWhereverItStands(t *testing.T) {
	env := goSources(t, platforms...)
	dir := checkout(t)
	run(t, dir, os.Environ(), "go mod edit -toolchain go1.99.1 && git add --all")

	shown := run(t, dir, env, "sh .ci/pin-go")
	changed := run(t, dir, os.Environ(), "git diff --unified=0")
	wants := []string{
		"\n+ARG GO_IMAGE=docker.io/library/golang:1.99.1-alpine@sha256:" + strings.Repeat("d", 64) + " SOURCE_DATE_EPOCH=0\n",
		" GOTOOLCHAIN=go1.99.1+auto ",
	}
	for _, platform := range platforms {
		wants = append(wants, fmt.Sprintf("\n+    %s = %q;\n", platform, toolchainHash(t, "v0.0.1-go1.99.1."+platform)))
	}
	for _, want := range wants {
		if !strings.Contains(changed, want) || !strings.Contains(shown, want) {
			t.Errorf("got %s, want %s in it", changed, want)
		}
	}
	if n := strings.Count(changed, "\n+"); n != 3+2*2+3 { // With the names of three files.
		t.Errorf("got %d changed lines, want three hashes and two lines of each Dockerfile: %s", n, changed)
	}
	if again := run(t, dir, env, "sh .ci/pin-go"); again != "" {
		t.Errorf("a second time it changes %s", again)
	}
}

func TestWithoutAnImageOfTheNewGoTheOlderOneStays(t *testing.T) {
	dir := checkout(t)
	run(t, dir, os.Environ(), "go mod edit -toolchain go1.99.2 && git add --all")
	said := run(t, dir, goSources(t, platforms...), "sh .ci/pin-go 2>&1 >/dev/null")
	if want := "pin-go: Docker Hub is out of reach, or has no golang:1.99.2-alpine yet: GO_IMAGE stays\n"; !strings.HasSuffix(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	changed := run(t, dir, os.Environ(), "git diff --unified=0")
	if strings.Contains(changed, "+ARG GO_IMAGE") || strings.Count(changed, " GOTOOLCHAIN=go1.99.2+auto ") != 2 || strings.Count(changed, "\n+    ") != 3 {
		t.Errorf("got %s, want another GOTOOLCHAIN in both Dockerfiles, and three hashes", changed)
	}
}

func TestWhenAToolchainIsMissingNothingIsPinned(t *testing.T) {
	for _, test := range []struct {
		what, edit string
		platforms  []string
		want       string
	}{
		{"none for a platform", "go mod edit -toolchain go1.99.1", platforms[:2], "cannot get go1.99.1 for darwin-arm64"},
		{"no such release", "go mod edit -toolchain go1.99.3", platforms, "cannot get go1.99.3 for linux-amd64: "},
		{"a file that cannot be written", "rm Dockerfile && mkdir Dockerfile && go mod edit -toolchain go1.99.1", platforms, "cannot write Dockerfile"},
		{"no toolchain", "go mod edit -toolchain none", platforms, "go.mod has no toolchain line"},
	} {
		dir := checkout(t)
		run(t, dir, os.Environ(), test.edit+" && git add --all")
		out, err := try(t, dir, goSources(t, test.platforms...), "sh .ci/pin-go")
		if err == nil || !strings.HasSuffix(out, "\n") || !strings.Contains(out, "pin-go: "+test.want) {
			t.Errorf("%s: got %v, %s, want %q", test.what, err, out, test.want)
		}
		if changed := run(t, dir, os.Environ(), "git diff"); changed != "" {
			t.Errorf("%s: got the change %s", test.what, changed)
		}
	}
}

// e2e/setup has downloaded the toolchains, and Go's checksum database vouched for them.
func TestTheHashesAreThoseOfTheToolchainsThatEverybodyGets(t *testing.T) {
	dir := checkout(t)
	env := append(goSources(t), "GOPROXY=off", "GOSUMDB=sum.golang.org", "GOMODCACHE="+strings.TrimSpace(run(t, ".", os.Environ(), "go env GOMODCACHE")))
	run(t, dir, env, "sh .ci/pin-go")
	if changed := run(t, dir, os.Environ(), "git diff"); changed != "" {
		t.Errorf("pin-go changes %s", changed)
	}
}

// withToolchains makes an image with an older Go, and with the one that go.mod names in a module proxy in /toolchains. No builder has
// seen it before.
func withToolchains(t *testing.T) (tag string) {
	t.Helper()
	tag = "heroku-go-example-e2e:with-toolchains"
	dir := t.TempDir()
	run(t, dir, os.Environ(), fmt.Sprintf("mkdir -p golang.org/toolchain && cp $(go env GOMODCACHE)/cache/download/golang.org/toolchain/@v/v0.0.1-go%s.linux-amd64.[imz]* . && date +%%s%%N >unseen", goVersion()))
	run(t, dir, os.Environ(), fmt.Sprintf("printf 'FROM heroku-go-example/golang:older\\nCOPY . /toolchains/golang.org/toolchain/@v/\\n' >../Dockerfile && %s docker build --quiet --file ../Dockerfile --tag %s .", classic, tag))
	return tag
}

func TestTheBaseImageNeedsNotHaveTheRightGo(t *testing.T) {
	base := withToolchains(t)
	t.Run("it is downloaded once", func(t *testing.T) { isDownloadedOnce(t, base) })
	t.Run("a service gets the newest of its own and ours", func(t *testing.T) { isTheNewest(t, base) })
}

func isDownloadedOnce(t *testing.T, base string) {
	dir := checkout(t)
	run(t, dir, goEnv(), goBuild)
	want := read(t, filepath.Join(dir, "result-server"))
	docker := fmt.Sprintf("%s docker build --network none --tag heroku-go-example-e2e:older --build-arg GO_IMAGE=%s --build-arg GOPROXY=file:///toolchains --build-arg GOSUMDB=off .", classic, base)
	log := run(t, dir, os.Environ(), docker)
	if !strings.Contains(log, "downloading go"+goVersion()) {
		t.Errorf("got %s, want go%s to be downloaded", log, goVersion())
	}
	if string(server(t, "heroku-go-example-e2e:older")) != want {
		t.Error("docker and go build give different executables")
	}
	run(t, dir, os.Environ(), "echo >>main.go")
	if log := run(t, dir, os.Environ(), docker); strings.Contains(log, "downloading") {
		t.Errorf("after an edit got %s, want nothing to be downloaded", log)
	}
	// Go asks its checksum database, unless the proxy is a folder and GOSUMDB is off.
	out, err := try(t, dir, os.Environ(), fmt.Sprintf("%s docker build --network none --build-arg GO_IMAGE=%s --build-arg GOPROXY=file:///toolchains,off --build-arg GOSUMDB=off .", classic, base))
	if err == nil || !strings.Contains(out, "checksum database disabled by GOSUMDB=off") {
		t.Errorf("got %v and %s, want the checksum database to be asked for", err, out)
	}
}

func isTheNewest(t *testing.T, base string) {
	s := newService(t, "strict", "")
	for _, test := range []struct{ what, edit string }{
		{"no toolchain line", "true"},
		{"an older toolchain line", "go mod edit -toolchain go1.26.1"},
		{"a newer toolchain line", "git checkout go.mod && go mod edit -toolchain go" + goVersion() + " && sed -i 's/GOTOOLCHAIN=go[0-9.]*/GOTOOLCHAIN=local/' Dockerfile"},
		{"a newer go line", "git checkout go.mod && go mod edit -go " + goVersion()}, // Than that Dockerfile's.
	} {
		run(t, s.dir, os.Environ(), "export GOTOOLCHAIN=local; "+test.edit)
		run(t, s.dir, os.Environ(), fmt.Sprintf("%s docker build --network none --tag heroku-go-example-e2e:newest --build-arg GO_IMAGE=%s --build-arg GOPROXY=file:///toolchains --build-arg GOSUMDB=off .", classic, base))
		executable := filepath.Join(t.TempDir(), "server")
		if err := os.WriteFile(executable, server(t, "heroku-go-example-e2e:newest"), 0o755); err != nil {
			t.Fatal(err)
		}
		if info, err := buildinfo.ReadFile(executable); err != nil || info.GoVersion != "go"+goVersion() {
			t.Errorf("%s: docker builds with %v, %v, want go%s", test.what, info, err, goVersion())
		}
		if read(t, executable) != read(t, s.built(t, "server")+"/bin/server") {
			t.Errorf("%s: docker and Nix give different executables", test.what)
		}
	}
}

func TestNixRefusesAGoThatItDoesNotHave(t *testing.T) {
	s := newService(t, "strict", "")
	for _, test := range []struct{ edit, want string }{
		{"go mod edit -go 1.99", "1.99"},
		{"go mod edit -toolchain go1.99.1", "1.99.1"},
		{"go work init . && go work edit -toolchain go1.99.2", "1.99.2"},
	} {
		run(t, s.dir, append(os.Environ(), "GOTOOLCHAIN=local"), "git checkout . && "+test.edit+" && git add --intent-to-add .")
		out, err := s.tryNix(t, "nix build")
		want := "go-on-heroku: go.mod or go.work wants go" + test.want + ", this flake has go" + goVersion() + ": nix flake update"
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %v and %s, want %q", test.edit, err, out, want)
		}
	}
	// Which module the package main is in, only the build finds out.
	s = newService(t, "programs", `commands = { web.main = "cmd/web"; worker.main = "cmd/worker"; };`)
	run(t, s.dir, append(os.Environ(), "GOTOOLCHAIN=local"), "cd cmd/worker && go mod init example.com/worker && go mod edit -toolchain go1.99.1 && git add --all")
	if out, err := s.tryNix(t, "nix build .#server-worker --print-build-logs"); err == nil || !strings.Contains(out, "go1.99.1") {
		t.Errorf("a worker of another module: got %v and %s, want that it wants go1.99.1", err, out)
	}
}

func TestADockerfileWithAnotherGoIsFound(t *testing.T) {
	s := newService(t, "strict", "")
	for _, test := range []struct{ edit, want string }{
		{"true", ""},
		{"go mod edit -toolchain go1.26.1", ""},
		{"rm Dockerfile", ""},
		{"git checkout . && sed -i 's/GOTOOLCHAIN=[^ ]*/GOTOOLCHAIN=local/' Dockerfile", "this flake builds with go" + goVersion() + ": want GOTOOLCHAIN=go" + goVersion() + "+auto"},
		{"git checkout . && sed -i 's/GOTOOLCHAIN=go[0-9.]*/GOTOOLCHAIN=go1.2.3/' Dockerfile && ln -s nowhere Dockerfile.gone && git add --all", "this flake builds with go" + goVersion() + ": want GOTOOLCHAIN=go" + goVersion() + "+auto"},
	} {
		run(t, s.dir, append(os.Environ(), "GOTOOLCHAIN=local"), test.edit)
		out, err := s.tryNix(t, "nix build .#checks.x86_64-linux.go-version --print-build-logs")
		if (err == nil) != (test.want == "") || !strings.Contains(out, test.want) {
			t.Errorf("%s: got %v and %s, want %q", test.edit, err, out, test.want)
		}
	}
}

func TestAServiceGetsANewerGoFromAForkOfThisProject(t *testing.T) {
	fork, s := checkout(t), newService(t, "strict", "")
	run(t, fork, os.Environ(), "go mod edit -toolchain go1.99.1")
	run(t, fork, goSources(t, platforms...), "sh .ci/pin-go")
	run(t, s.dir, append(os.Environ(), "GOTOOLCHAIN=local"), "go mod edit -toolchain go1.99.1 && cp "+fork+"/templates/existing/Dockerfile . && sed -i 's|github:OWNER/NAME|path:"+fork+"|' flake.nix && git add --all")
	double, err := filepath.Abs("nixpkgs")
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, s.dir, s.env, "nix eval --raw --override-input go-on-heroku/nixpkgs path:"+double+" .#toolchain.name 2>/dev/null")
	if got != "go-1.99.1" {
		t.Errorf("the flake has %s", got)
	}
	run(t, s.dir, s.env, "nix build --no-link --override-input go-on-heroku/nixpkgs path:"+double+" .#checks.x86_64-linux.go-version")
}
