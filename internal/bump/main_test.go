package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const index = `{"schemaVersion": 2, "manifests": []}`

var indexDigest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(index)))

// sources serves the list of releases and the images as go.dev and Docker Hub do.
func sources(t *testing.T, list string) *httptest.Server {
	server := new(httptest.Server)
	handler := http.NewServeMux()
	handler.HandleFunc("GET /list", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, list)
	})
	handler.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("service") == "registry.example" && r.FormValue("scope") == "repository:library/golang:pull" {
			fmt.Fprint(w, `{"token": "t0ken"}`)
		}
	})
	handler.HandleFunc("GET /v2/library/golang/manifests/{tag}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer t0ken":
			w.Header().Set("Www-Authenticate", `Bearer realm="`+server.URL+`/token",service="registry.example",scope="repository:library/golang:pull"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.PathValue("tag") != "1.99.1-alpine":
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, index)
		}
	})
	server = httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// newGo is the list with go1.99.1 as the newest, with a checksum of 64 times the same digit for each platform.
func newGo(version string, platforms ...string) string {
	var files []string
	for i, platform := range platforms {
		os, arch, _ := strings.Cut(platform, "-")
		for _, kind := range []string{"installer", "archive"} {
			digit := fmt.Sprintf("%x", i+1)
			if kind == "installer" {
				digit = "f"
			}
			files = append(files, fmt.Sprintf(`{"filename": "x", "os": %q, "arch": %q, "version": %q, "sha256": %q, "size": 1, "kind": %q}`,
				os, arch, version, strings.Repeat(digit, 64), kind))
		}
	}
	return `[{"version": "go1.100rc1", "stable": false, "files": []},
		{"version": "` + version + `", "stable": true, "files": [` + strings.Join(files, ",") + `]},
		{"version": "go1.27.9", "stable": true, "files": []}]`
}

var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}

// project is a copy of the files that name the version. The README is a short one: it may be anybody's own.
func project(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("GOOS=linux GOTOOLCHAIN=go1.27.2 go build\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Dockerfile", "nix/toolchain.nix"} {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		os.Mkdir(filepath.Join(dir, "nix"), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var all string
	for _, name := range []string{"Dockerfile", "README.md", "nix/toolchain.nix"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all += string(content)
	}
	return all
}

func TestANewerGoIsPutInEveryPlace(t *testing.T) {
	dir, server := project(t), sources(t, newGo("go1.99.1", platforms...))
	var out bytes.Buffer
	if err := bump(dir, server.URL+"/list", server.URL, false, &out); err != nil {
		t.Fatal(err)
	}
	after := contents(t, dir)
	for _, want := range []string{
		"ARG GO_IMAGE=golang:1.99.1-alpine@" + indexDigest + "\n",
		"GOTOOLCHAIN=go1.99.1 go build\n",
		`version = "1.99.1"; #`,
		`platform = "linux-amd64";` + "\n        sha256 = \"" + strings.Repeat("1", 64) + `"`,
		`platform = "linux-arm64";` + "\n        sha256 = \"" + strings.Repeat("2", 64) + `"`,
		`platform = "darwin-amd64";` + "\n        sha256 = \"" + strings.Repeat("3", 64) + `"`,
		`platform = "darwin-arm64";` + "\n        sha256 = \"" + strings.Repeat("4", 64) + `"`,
	} {
		if !strings.Contains(after, want) {
			t.Errorf("want %q in the changed files", want)
		}
	}
	if n := strings.Count(out.String(), "\n  + "); n != 7 {
		t.Errorf("got %d changes, want 7: %s", n, &out)
	}

	out.Reset()
	if err := bump(dir, server.URL+"/list", server.URL, false, &out); err != nil || contents(t, dir) != after {
		t.Errorf("a second time: got %v and %s, want no change", err, &out)
	}
}

func TestADryRunShowsTheSameAndChangesNothing(t *testing.T) {
	dir, server := project(t), sources(t, newGo("go1.99.1", platforms...))
	before := contents(t, dir)
	var dry, real bytes.Buffer
	if err := bump(dir, server.URL+"/list", server.URL, true, &dry); err != nil {
		t.Fatal(err)
	}
	if contents(t, dir) != before {
		t.Error("a dry run changes files")
	}
	if err := bump(dir, server.URL+"/list", server.URL, false, &real); err != nil {
		t.Fatal(err)
	}
	if dry.String() != real.String() {
		t.Errorf("the dry run shows %s, the real one %s", &dry, &real)
	}
}

func TestAReadmeOfOnesOwnNeedsNoVersion(t *testing.T) {
	dir, server := project(t), sources(t, newGo("go1.99.1", platforms...))
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("# My app\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bump(dir, server.URL+"/list", server.URL, false, &out); err != nil || !strings.Contains(contents(t, dir), "golang:1.99.1-alpine") {
		t.Errorf("got %v and %s, want all else to change", err, &out)
	}
}

func TestWhenSomethingIsMissingNothingChanges(t *testing.T) {
	for _, test := range []struct{ name, list, want string }{
		{"no image yet", newGo("go1.99.2", platforms...), "golang:1.99.2-alpine: there is no such image yet"},
		{"no archive for a platform", newGo("go1.99.1", platforms[:3]...), "nix/toolchain.nix: go1.99.1 has no archive"},
		{"no stable release", `[{"version": "go1.100rc1"}]`, "names no stable release"},
		{"no list", "<html>", "find the newest Go: read "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, server := project(t), sources(t, test.list)
			before := contents(t, dir)
			var out bytes.Buffer
			err := bump(dir, server.URL+"/list", server.URL, false, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got the error %v, want %q in it", err, test.want)
			}
			if contents(t, dir) != before {
				t.Error("files have changed")
			}
		})
	}
}
