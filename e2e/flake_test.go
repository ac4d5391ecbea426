package e2e

import (
	"os"
	"strings"
	"testing"
)

func TestTheFlakeIsWholeAndItsChecksPass(t *testing.T) {
	dir := checkout(t)
	nix(t, dir, os.Environ(), "nix flake check")
	nix(t, dir, os.Environ(), "nix flake check --all-systems --no-build")
	shown := nix(t, dir, os.Environ(), "nix flake show --all-systems --json 2>/dev/null")
	for _, system := range []string{"x86_64-linux", "aarch64-linux", "aarch64-darwin"} {
		if n := strings.Count(shown, `"`+system+`"`); n != 5 {
			t.Errorf("%s has %d kinds of outputs, want 5: packages, apps, devShells, checks, formatter", system, n)
		}
	}
}

// userEnv is a user's own environment, not that of CI.
func userEnv() []string { return append(os.Environ(), "GOFLAGS=", "GOPROXY=", "GOTOOLCHAIN=") }

func TestTheDevelopmentShellHasThePinnedToolsAndOneLineOfGreetingAtMost(t *testing.T) {
	dir := checkout(t)
	out := nix(t, dir, userEnv(), "nix develop --command sh -c 'go version && go env CGO_ENABLED GOTOOLCHAIN && echo SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH && staticcheck ./... && type gopls heroku jq skopeo' 2>/dev/null")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 8 || lines[3] != "SOURCE_DATE_EPOCH=" || lines[1] != "0" || lines[2] != "local" || lines[0] != "go version go"+goVersion()+" linux/amd64" || !strings.Contains(lines[4], "gopls is /nix/store/") {
		t.Errorf("got %q, want Go %s, no SOURCE_DATE_EPOCH, nothing from staticcheck, and four programs", lines, goVersion())
	}
}

func TestNixFmtFormatsTheFolderOrOneFile(t *testing.T) {
	dir := checkout(t)
	run(t, dir, os.Environ(), "sed -i 's/^func main/  &/' main.go && sed -i 's/$/ /' nix/image.nix")
	nix(t, dir, os.Environ(), "nix fmt -- main.go")
	if changed := run(t, dir, os.Environ(), "git diff --name-only"); changed != "nix/image.nix\n" {
		t.Errorf("nix fmt -- main.go leaves changes in %s, want nix/image.nix alone", changed)
	}
	nix(t, dir, os.Environ(), "nix fmt")
	if changed := run(t, dir, os.Environ(), "git diff --name-only"); changed != "" {
		t.Errorf("nix fmt leaves changes in %s", changed)
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
