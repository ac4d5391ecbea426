package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFlakeIsWholeAndItsChecksPass(t *testing.T) {
	dir := checkout(t)
	nix(t, dir, os.Environ(), "nix flake check")
	nix(t, dir, os.Environ(), "nix flake check --all-systems --no-build")
	shown := nix(t, dir, os.Environ(), "nix flake show --all-systems --json 2>/dev/null")
	for _, system := range []string{"x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"} {
		if n := strings.Count(shown, `"`+system+`"`); n != 5 {
			t.Errorf("%s has %d kinds of outputs, want 5: packages, apps, devShells, checks, formatter", system, n)
		}
	}
}

// userEnv is a user's own environment, not that of CI.
func userEnv() []string { return append(os.Environ(), "GOFLAGS=", "GOPROXY=", "GOTOOLCHAIN=") }

func TestTheDevelopmentShellHasThePinnedToolsAndOneLineOfGreetingAtMost(t *testing.T) {
	dir := checkout(t)
	out := nix(t, dir, userEnv(), "nix develop --command sh -c 'go version && staticcheck ./... && type gopls heroku jq skopeo' 2>/dev/null")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 5 || lines[0] != "go version go"+goVersion()+" linux/amd64" || !strings.Contains(lines[1], "gopls is /nix/store/") {
		t.Errorf("got %q, want Go %s, nothing from staticcheck, and four programs", lines, goVersion())
	}
}

func TestNixFmtFormatsGoAndNix(t *testing.T) {
	dir := checkout(t)
	run(t, dir, os.Environ(), "sed -i 's/^func main/  &/' main.go && sed -i 's/$/ /' nix/image.nix")
	nix(t, dir, os.Environ(), "nix fmt")
	if changed := run(t, dir, os.Environ(), "git diff --name-only"); changed != "" {
		t.Errorf("nix fmt leaves changes in %s", changed)
	}
}

// With a page, a README and a dependency of one's own, nothing is left that fails.
func TestAProjectFromTheTemplateBuildsAndPassesItsTests(t *testing.T) {
	template, dir := checkout(t), t.TempDir()
	run(t, dir, os.Environ(), "nix flake init --template git+file://"+template+" && git init --quiet && git add --all")
	for _, folder := range []string{template, dir} {
		nix(t, folder, os.Environ(), "nix build .#image.id")
	}
	if got, want := read(t, filepath.Join(dir, "result")), read(t, filepath.Join(template, "result")); got != want {
		t.Errorf("the new project's image is %s, the template's %s", got, want)
	}

	run(t, dir, os.Environ(), "rm -rf e2e/walkthrough_test.go e2e/elsewhere_test.go e2e/load elsewhere internal/web/assets")
	module := filepath.Join("vendor", "example.com", "mixed")
	for name, content := range map[string]string{
		"README.md": "# My app\n",
		"internal/web/assets/index.html": `<!doctype html><title>My app</title><link rel="stylesheet" href="/assets/own.css">
			<h1>My app</h1><a href="https://example.com/">Elsewhere</a> <a href="#top">Up</a>`,
		"internal/web/assets/own.css": "h1 { color: red }\n",
		"internal/web/mine.go":        "package web\n\nimport _ \"example.com/mixed\"\n",
		"go.mod":                      read(t, filepath.Join(dir, "go.mod")) + "\nrequire example.com/mixed v1.0.0\n",
		"vendor/modules.txt": read(t, filepath.Join(dir, "vendor/modules.txt")) +
			"# example.com/mixed v1.0.0\n## explicit\nexample.com/mixed\nexample.com/mixed/win\n",
		filepath.Join(module, "mixed.go"):         "package mixed\n",
		filepath.Join(module, "mixed_windows.go"): "package mixed\n\nimport _ \"example.com/mixed/win\"\n",
		filepath.Join(module, "win/windows.go"):   "//go:build windows\n\npackage win\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, os.Environ(), "git add --all && go vet ./... && go test . ./internal/...")
	nix(t, dir, userEnv(), "nix develop --command staticcheck ./...")
	nix(t, dir, os.Environ(), "nix build .#server")
	const tag = "heroku-go-example-e2e:own"
	build(t, dir, classic, tag, "--network none")
	if read(t, filepath.Join(dir, "result/bin/server")) != string(server(t, tag)) {
		t.Error("Nix and Docker give different executables")
	}
}

func TestTheBillOfMaterialsListsWhatTheServerSaysOfItself(t *testing.T) {
	dir := checkout(t)
	nix(t, dir, os.Environ(), "nix build .#sbom")
	listed := run(t, dir, os.Environ(), `jq --raw-output '.bomFormat, (.components[] | .name + " " + .version)' result`)
	nix(t, dir, os.Environ(), "nix build .#server")
	says := run(t, dir, os.Environ(), `result/bin/server version | jq --raw-output '.modules[1:][] | .path + " " + .version'`)
	if want := "CycloneDX\n" + says + "std go" + goVersion() + "\n"; listed != want {
		t.Errorf("got %s, want %s", listed, want)
	}
}
