package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goSources serves go.dev's list of releases and Docker Hub's digests. It returns an environment in which curl finds them.
func goSources(t *testing.T, releases string) []string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET go.dev/dl/", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("mode") == "json" && r.FormValue("include") == "all" {
			fmt.Fprint(w, releases)
		}
	})
	mux.HandleFunc("GET auth.docker.io/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("service") == "registry.docker.io" && r.FormValue("scope") == "repository:library/golang:pull" {
			fmt.Fprint(w, `{"token": "t0ken"}`)
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
	return append(os.Environ(), "CURL_HOME="+home, "https_proxy=", "HTTPS_PROXY=")
}

// goReleases lists go1.99.1 and go1.99.2 with an archive for each platform, whose checksum is 64 times the same digit.
func goReleases(platforms ...string) string {
	var files []string
	for i, platform := range platforms {
		os, arch, _ := strings.Cut(platform, "-")
		for kind, digit := range map[string]string{"archive": fmt.Sprint(i + 1), "installer": "f"} {
			files = append(files, fmt.Sprintf(`{"os": %q, "arch": %q, "sha256": %q, "kind": %q}`, os, arch, strings.Repeat(digit, 64), kind))
		}
	}
	all := strings.Join(files, ",")
	return `[{"version": "go1.99.2", "files": [` + all + `]}, {"version": "go1.99.1", "files": [` + all + `]}, {"version": "go1.27.2", "files": []}]`
}

func TestANewerGoIsPinnedWhereverItStands(t *testing.T) {
	env := goSources(t, goReleases("linux-amd64", "linux-arm64", "darwin-arm64"))
	dir := checkout(t)
	run(t, dir, os.Environ(), "go mod edit -toolchain go1.99.1 && git add --all")

	shown := run(t, dir, env, "sh nix/pin-go")
	changed := run(t, dir, os.Environ(), "git diff")
	wants := []string{`(?s)(\n\+ARG GO_IMAGE=docker\.io/library/golang:1\.99\.1-alpine@sha256:d{64} SOURCE_DATE_EPOCH=0\n.*){2}`}
	for i, platform := range []string{"linux-amd64", "linux-arm64", "darwin-arm64"} {
		wants = append(wants, fmt.Sprintf(`\n\+    %s = "%d{64}";\n`, platform, i+1))
	}
	for _, want := range wants {
		if pattern := regexp.MustCompile(want); !pattern.MatchString(changed) || !pattern.MatchString(shown) {
			t.Errorf("got %s, want %s in it", changed, want)
		}
	}
	if n := strings.Count(changed, "\n+ "); n != 3 {
		t.Errorf("got %d changed lines of Nix, want 3: %s", n, changed)
	}
	if again := run(t, dir, env, "sh nix/pin-go"); again != "" {
		t.Errorf("a second time it changes %s", again)
	}
}

func TestWhenSomethingIsMissingNothingIsPinned(t *testing.T) {
	for _, test := range []struct{ what, edit, releases, want string }{
		{"no image yet", "go mod edit -toolchain go1.99.2", goReleases("linux-amd64", "linux-arm64", "darwin-arm64"), "Docker Hub has no golang:1.99.2-alpine, or not yet"},
		{"no archive for a platform", "go mod edit -toolchain go1.99.1", goReleases("linux-amd64", "linux-arm64"), "go.dev lists no archive of go1.99.1 for darwin-arm64"},
		{"no such release", "go mod edit -toolchain go1.99.3", goReleases("linux-amd64", "linux-arm64", "darwin-arm64"), "go.dev lists no archive of go1.99.3 for linux-amd64"},
		{"no list", "go mod edit -toolchain go1.99.1", "<html>", "cannot read the list of Go releases"},
		{"no checksum", "go mod edit -toolchain go1.99.1", strings.ReplaceAll(goReleases("linux-amd64"), strings.Repeat("1", 64), "null"), "go.dev lists no archive of go1.99.1 for linux-amd64"},
		{"a file that cannot be written", "rm Dockerfile && mkdir Dockerfile && go mod edit -toolchain go1.99.1", goReleases("linux-amd64", "linux-arm64", "darwin-arm64"), "cannot write Dockerfile"},
		{"no toolchain", "go mod edit -toolchain none", "[]", "go.mod has no toolchain line"},
	} {
		dir := checkout(t)
		run(t, dir, os.Environ(), test.edit+" && git add --all")
		out, err := try(t, dir, goSources(t, test.releases), "sh nix/pin-go")
		if err == nil || !strings.HasSuffix(out, "\n") || !strings.Contains(out, "pin-go: "+test.want) {
			t.Errorf("%s: got %v, %s, want %q", test.what, err, out, test.want)
		}
		if changed := run(t, dir, os.Environ(), "git diff"); changed != "" {
			t.Errorf("%s: got the change %s", test.what, changed)
		}
	}
}
