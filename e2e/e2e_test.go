// Package e2e tests the whole, as a user sees it: by commands, files and HTTP. README.md says how to run it.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

var goImage string // the stand-in for the Dockerfile's base image

func TestMain(m *testing.M) {
	// The tests talk to the local daemon and to containers, whatever else the user works with.
	for _, name := range []string{"DOCKER_CONTEXT", "DOCKER_HOST", "HTTP_PROXY", "http_proxy"} {
		os.Unsetenv(name)
	}
	if err := findTools(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v: run sh e2e/setup\n", err)
		os.Exit(1)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		ends.Lock()
		for _, end := range slices.Backward(ends.all) {
			end()
		}
		os.Exit(1)
	}()
	os.Exit(m.Run())
}

var ends struct {
	sync.Mutex
	all []func()
}

// atEnd calls end when the test ends, even by Ctrl-C.
func atEnd(t testing.TB, end func()) {
	end = sync.OnceFunc(end)
	ends.Lock()
	defer ends.Unlock()
	ends.all = append(ends.all, end)
	t.Cleanup(end)
}

// findTools puts what e2e/setup installed into PATH and returns an error that names the first thing that is missing.
func findTools() error {
	tools, err := filepath.Abs(".tools")
	if err != nil {
		return err
	}
	bin := filepath.Join(tools, "bin")
	for _, tool := range []string{"heroku", "docker-registry", "nix", "actionlint", "chromium", "buildx", "buildkitd", "regctl", "kube-score"} {
		if _, err := os.Stat(filepath.Join(bin, tool)); err != nil {
			return err // Another one in PATH would not do.
		}
	}
	os.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for _, tool := range []string{"docker", "podman", "haproxy", "node", "skopeo", "curl", "jq", "shellcheck", "git", "script", "unshare", "qemu-aarch64-static"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	if os.Getuid() != 0 {
		return errors.New("port 443 needs root")
	}
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		return err
	}
	toolchain := regexp.MustCompile(`(?m)^toolchain go(.+)$`).FindSubmatch(goMod)
	if toolchain == nil {
		return errors.New("go.mod has no toolchain line")
	}
	goImage = "heroku-go-example/golang:" + string(toolchain[1])
	if out, err := exec.Command("docker", "image", "inspect", goImage).CombinedOutput(); err != nil {
		return fmt.Errorf("docker has no image %s: %s", goImage, lastLine(string(out)))
	}
	return herokutest.CheckNames()
}

// goVersion is the version of the toolchain that go.mod names, like "1.27.4".
func goVersion() string {
	_, version, _ := strings.Cut(goImage, ":")
	return version
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// startHeroku starts a local Heroku.
func startHeroku(t *testing.T) *herokutest.Heroku {
	t.Helper()
	h := new(herokutest.Heroku)
	start(t, h)
	return h
}

// start starts a local Heroku. When the test fails it shows the calls.
func start(t *testing.T, h *herokutest.Heroku) {
	t.Helper()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	atEnd(t, func() {
		if t.Failed() {
			for _, call := range h.Calls() {
				t.Log(call)
			}
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}

// checkout copies the project's files, as they are now, to a new folder with a git repository that knows them.
func checkout(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	list := run(t, "..", os.Environ(), "git ls-files -z --cached --others --exclude-standard")
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		from, to := filepath.Join("..", name), filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if link, err := os.Readlink(from); err == nil {
			if err := os.Symlink(link, to); err != nil {
				t.Fatal(err)
			}
			continue
		}
		info, err := os.Stat(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Removed, but not yet from git.
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, os.Environ(), "git init --quiet --initial-branch main && git add --all")
	return dir
}

// commit commits what git knows of a checkout.
const commit = "git -c user.name=You -c user.email=you@example.com commit --quiet --message 'First commit'"

// run runs a shell command and returns what it prints. A command that fails, or takes minutes, ends the test.
func run(t testing.TB, dir string, env []string, command string) string {
	t.Helper()
	out, err := try(t, dir, env, command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// nix runs a command that begins with nix and its verb in a project, with the double instead of nixpkgs.
func nix(t testing.TB, dir string, env []string, command string) string {
	t.Helper()
	return run(t, dir, env, withDouble(t, dir, command))
}

// withDouble has the command take the double, and this checkout where the project's flake has go-on-heroku as its input.
func withDouble(t testing.TB, dir, command string) string {
	t.Helper()
	double, err := filepath.Abs("nixpkgs")
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`^nix (flake )?\w+`).FindString(command)
	inputs := " --override-input nixpkgs path:" + double
	if strings.Contains(read(t, filepath.Join(dir, "flake.nix")), "inputs.go-on-heroku") {
		inputs = " --override-input go-on-heroku path:" + checkout(t) + " --override-input go-on-heroku/nixpkgs path:" + double
	}
	return verb + inputs + command[len(verb):]
}

func try(t testing.TB, dir string, env []string, command string) (string, error) {
	// go test must not remember the outcome, for it knows nothing of docker. It does not when a test reads a new file.
	tested := filepath.Join(".tools", "tested")
	os.WriteFile(tested, nil, 0o644)
	os.ReadFile(tested)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", command)
	shell.Dir, shell.Env = dir, env
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	start := time.Now()
	err := shell.Run()
	t.Logf("%5.1f s  %s", time.Since(start).Seconds(), command)
	return out.String(), err
}

func read(t testing.TB, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// get returns the body of a page that answers 200.
func get(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 {
		t.Fatalf("%s answers %s: %s", url, response.Status, body)
	}
	return string(body)
}

// eventually waits until the condition holds, for a minute at most.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute in vain for: %s", what)
		}
	}
}
