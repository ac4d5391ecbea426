package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

// deployApp is an app on a local Heroku, and the programs that `nix run .#deploy` and `nix run .#push` would run.
type deployApp struct {
	*testing.T
	heroku       *herokutest.Heroku
	dir          string
	deploy, push string
	id           string // of the image that they push
	env          []string
	instead      atomic.Pointer[map[string]instead]
}

// instead answers in Heroku's place, unless it returns false.
type instead func(w http.ResponseWriter, r *http.Request) bool

func newDeployApp(t *testing.T) *deployApp {
	t.Helper()
	h := new(herokutest.Heroku)
	app := &deployApp{T: t, heroku: h}
	h.Wrap = func(heroku http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if all := app.instead.Load(); all != nil {
				for what, instead := range *all {
					if strings.HasPrefix(r.Method+" "+r.URL.Path, what) && instead(w, r) {
						return
					}
				}
			}
			heroku.ServeHTTP(w, r)
		})
	}
	start(t, h)
	app.dir = checkout(t)
	app.deploy, app.push, app.id = app.program("deploy"), app.program("push"), strings.TrimSpace(read(t, app.built("image.id")))
	if program := nix(t, app.dir, os.Environ(), "nix eval --raw .#apps.x86_64-linux.default.program 2>/dev/null"); program != app.deploy {
		t.Errorf("nix run . would run %s, want %s", program, app.deploy)
	}
	// With nothing in PATH, the programs have what they bring along: no docker, no heroku.
	app.env = append(h.Env(), "HOME="+t.TempDir(), "PATH=/nonexistent", "HEROKU_API_KEY="+h.Token())
	cli := append(append(os.Environ(), h.Env()...), "HEROKU_API_KEY="+h.Token())
	run(t, ".", cli, "heroku create --stack container go-on-nix && heroku create plain")
	return app
}

// built builds a package and returns its path.
func (app *deployApp) built(what string) string {
	app.Helper()
	return strings.TrimSpace(nix(app.T, app.dir, os.Environ(), "nix build --no-link --print-out-paths .#"+what+" 2>/dev/null"))
}

func (app *deployApp) program(name string) string {
	app.Helper()
	return app.built(name) + "/bin/heroku-go-example-" + name
}

// answers sets what is answered in Heroku's place from now on, by method and the start of the path.
func (app *deployApp) answers(what map[string]instead) { app.instead.Store(&what) }

// run runs a program and returns what it prints, which never holds the token.
func (app *deployApp) run(env []string, program string, args ...string) (string, error) {
	app.Helper()
	command := exec.Command(program, args...)
	command.Env = append(slices.Clone(app.env), env...)
	start := time.Now()
	out, err := command.CombinedOutput()
	app.Logf("%4.1f s  %s %s: %v\n%s", time.Since(start).Seconds(), filepath.Base(program), strings.Join(args, " "), err, out)
	if strings.Contains(string(out), app.heroku.Token()) {
		app.Errorf("%s prints the token", program)
	}
	return string(out), err
}

// releases returns how many releases the app has.
func (app *deployApp) releases(name string) int {
	app.Helper()
	return strings.Count(app.heroku.Log(name), "Release v")
}

func TestDeployReleasesTheImageThatNixHasBuiltWithoutDocker(t *testing.T) {
	app := newDeployApp(t)
	h := app.heroku

	before := len(h.Calls())
	out, err := app.run(nil, app.deploy, "go-on-nix")
	want := fmt.Sprintf("Pushing %s to registry.%s/go-on-nix/web\nRelease: v3\nURL:     %[3]s\nVerify:  nix run .#verify -- go-on-nix\n", app.id, herokutest.Host, h.URL("go-on-nix"))
	if err != nil || out != want {
		t.Errorf("got %v and %q, want %q", err, out, want)
	}
	var calls []string
	for _, call := range h.Calls()[before:] {
		if call.Host == "api."+herokutest.Host {
			calls = append(calls, call.Method+" "+call.Path)
		}
	}
	if want := []string{"GET /apps/go-on-nix", "GET /apps/go-on-nix/releases", "PATCH /apps/go-on-nix/formation", "GET /apps/go-on-nix/releases"}; !slices.Equal(calls, want) {
		t.Errorf("got the calls %q, want %q", calls, want)
	}

	var version struct{ SHA256 string }
	if err := json.Unmarshal([]byte(get(t, h.Client(), h.URL("go-on-nix")+"version")), &version); err != nil {
		t.Fatal(err)
	}
	server := nix(t, checkout(t), os.Environ(), "nix build --no-link --print-out-paths .#server 2>/dev/null")
	if sum := run(t, ".", os.Environ(), "sha256sum <"+strings.TrimSpace(server)+"/bin/server"); !strings.HasPrefix(sum, version.SHA256) {
		t.Errorf("the dyno runs an executable with the sha256 %s, want %s", version.SHA256, sum)
	}
	running := run(t, ".", os.Environ(), "docker inspect --format {{.Image}} $(docker ps --quiet --filter name=herokutest-go-on-nix-web.1)")
	if strings.TrimSpace(running) != app.id {
		t.Errorf("the dyno runs the image %s, want %s", running, app.id)
	}

	if out, err := app.run(nil, app.deploy, "go-on-nix"); err != nil || !strings.Contains(out, "go-on-nix runs this already\n") || app.releases("go-on-nix") != 3 {
		t.Errorf("the same image again: got %v and %q, want no release", err, out)
	}
	if out, err := app.run(nil, app.push, "go-on-nix", "web"); err != nil || app.releases("go-on-nix") != 3 {
		t.Errorf("push: got %v and %q, want no release", err, out)
	}
}

func TestDeployTakesTheTokenOfTheCLIAndNeedsNoConfigurationOfContainers(t *testing.T) {
	app := newDeployApp(t)
	// The CLI's user is logged in by ~/.netrc.
	home := t.TempDir()
	netrc := "machine api." + herokutest.Host + "\n  login you@example.com\n  password " + app.heroku.Token() + "\n"
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := app.run([]string{"HEROKU_API_KEY=", "HOME=" + home, "PATH=" + os.Getenv("PATH")}, app.push, "go-on-nix"); err != nil {
		t.Errorf("got %v: %s", err, out)
	}
	command := "mount -t tmpfs none /etc/containers && exec " + app.push + " go-on-nix"
	script := exec.Command("unshare", "--mount", "/bin/sh", "-c", command)
	script.Env = append(slices.Clone(app.env), "PATH=/usr/bin:/bin")
	if out, err := script.CombinedOutput(); err != nil {
		t.Errorf("without /etc/containers: %v: %s", err, out)
	}
}

func TestDeployEndsWithOneLineAndReleasesNothing(t *testing.T) {
	app := newDeployApp(t)
	answer := func(status int, contentType, body string) instead {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	breaks := func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) }
	ends := func(what, want string, code int, env []string, args ...string) {
		t.Helper()
		out, err := app.run(env, app.deploy, args...)
		out = strings.TrimPrefix(out, fmt.Sprintf("Pushing %s to registry.%s/go-on-nix/web\n", app.id, herokutest.Host))
		if err == nil || err.(*exec.ExitError).ExitCode() != code || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: got %v and %q, want the exit code %d and one line with %q", what, err, out, code, want)
		}
	}
	ends("no app", "usage: nix run .#deploy -- APP [PROCESS_TYPE]", 2, nil)
	ends("a bad name", "usage:", 2, nil, "../go-on-nix")
	ends("a process type that the flake does not have", "there is no process type worker: want one of web", 2, nil, "go-on-nix", "worker")
	ends("a process type that is a pattern", "usage:", 2, nil, "go-on-nix", ".*")
	ends("a host that is not Heroku's", `HEROKU_HOST="example.com": want`, 2, []string{"HEROKU_HOST=example.com"}, "go-on-nix")
	ends("no such app", "there is no app nobodys", 1, nil, "nobodys")
	ends("another stack", "'heroku stack:set container --app plain'", 1, nil, "plain")
	ends("no token", "not logged in to Heroku", 1, []string{"HEROKU_API_KEY="}, "go-on-nix")
	ends("a bad token", "does not take the token from HEROKU_API_KEY", 1, []string{"HEROKU_API_KEY=wrong"}, "go-on-nix")
	ends("a token of two lines", "the token from HEROKU_API_KEY has characters that no token has", 1, []string{"HEROKU_API_KEY=a\nurl = file:///"}, "go-on-nix")

	for _, test := range []struct {
		at      string
		instead instead
		want    string
	}{
		{"GET /apps/", answer(503, "text/html", "<p>down</p>"), "answers something else than JSON: 503; nothing is released"},
		{"GET /apps/", answer(200, "text/html", "<p>log in to this network</p>"), "answers something else than JSON: 200; nothing is released"},
		{"POST /v2/", answer(403, "application/json", `{"errors": [{"code": "DENIED", "message": "not yours"}]}`), "denied: not yours\"; nothing is released"},
		{"PATCH /v2/", breaks, "; nothing is released"},
		{"PUT /v2/go-on-nix/web/manifests/", answer(201, "", ""), "answers 422: No image " + app.id},
		{"PATCH /apps/", answer(503, "text/html", "<p>down</p>"), "'heroku releases --app go-on-nix' says whether it is released"},
		{"PATCH /apps/", breaks, "'heroku releases --app go-on-nix' says whether it is released"},
		{"GET /apps/", func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.Header.Get("Accept"), "version=3.sdk") && answer(200, "application/json", `{"generation": {"name": "fir"}, "stack": {"name": "cnb"}}`)(w, r)
		}, "go-on-nix is in a space of the generation fir, which runs no images: want an app"},
	} {
		app.answers(map[string]instead{test.at: test.instead})
		ends(test.at, test.want, 1, nil, "go-on-nix")
	}
	app.answers(nil)
	if n := app.releases("go-on-nix"); n != 2 {
		t.Errorf("%d releases, want the two that every app begins with", n)
	}

	offline := exec.Command("unshare", "--net", app.deploy, "go-on-nix")
	offline.Env = append(slices.Clone(app.env), "PATH=/usr/bin:/bin")
	if out, err := offline.CombinedOutput(); err == nil || !strings.HasPrefix(string(out), "deploy: curl: (") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("without a network: got %v and %q, want one line", err, out)
	}
}

func TestDeployTriesThePushAgainAndWaitsForTheReleasePhase(t *testing.T) {
	app := newDeployApp(t)
	var pushes, asked atomic.Int32
	var outcome atomic.Value
	const release = `{"id": "seven", "version": 7, "status": %q}`
	app.answers(map[string]instead{
		"POST /v2/": func(w http.ResponseWriter, r *http.Request) bool {
			if pushes.Add(1) == 1 {
				panic(http.ErrAbortHandler) // The connection breaks.
			}
			return false
		},
		"GET /apps/go-on-nix/releases": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/seven") {
				asked.Add(1)
				fmt.Fprintf(w, release, outcome.Load())
			} else {
				fmt.Fprintf(w, "["+release+"]", "pending")
			}
			return true
		},
	})
	outcome.Store("succeeded")
	if out, err := app.run(nil, app.deploy, "go-on-nix"); err != nil || !strings.Contains(out, "Release: v7\n") || asked.Load() != 1 || pushes.Load() < 2 {
		t.Errorf("got %v and %q after %d tries to push, want v7", err, out, pushes.Load())
	}
	outcome.Store("failed")
	if out, err := app.run(nil, app.deploy, "go-on-nix"); err == nil || !strings.Contains(out, "the release v7 failed: ") || strings.Contains(out, "Release:") {
		t.Errorf("got %v and %q, want a failure", err, out)
	}
}

func TestDeployCanBeInterruptedInTheMiddleOfThePush(t *testing.T) {
	app := newDeployApp(t)
	uploading, resume := make(chan bool), make(chan bool)
	app.answers(map[string]instead{"PATCH /v2/": func(w http.ResponseWriter, r *http.Request) bool {
		select {
		case uploading <- true:
		case <-resume:
		}
		<-resume
		return false
	}})
	deploy := exec.Command(app.deploy, "go-on-nix")
	deploy.Env = append(slices.Clone(app.env), "TMPDIR="+t.TempDir())
	deploy.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // A terminal's Ctrl-C goes to the whole group.
	var out strings.Builder
	deploy.Stdout, deploy.Stderr = &out, &out
	if err := deploy.Start(); err != nil {
		t.Fatal(err)
	}
	<-uploading
	processes := run(t, ".", os.Environ(), "ps -ww -o args= -g $(ps -o sid= -p "+fmt.Sprint(deploy.Process.Pid)+")")
	if !strings.Contains(processes, "skopeo") || strings.Contains(processes, app.heroku.Token()) {
		t.Errorf("want skopeo without the token among the processes:\n%s", processes)
	}
	syscall.Kill(-deploy.Process.Pid, syscall.SIGINT)
	err := deploy.Wait()
	close(resume)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if deploy.ProcessState.ExitCode() != 130 || lines[len(lines)-1] != "deploy: interrupted; nothing is released" {
		t.Errorf("got %v and %q, want the exit code 130", err, out.String())
	}
	if n := app.releases("go-on-nix"); n != 2 {
		t.Errorf("%d releases, want the two that every app begins with", n)
	}
	if left, _ := filepath.Glob(strings.TrimPrefix(deploy.Env[len(deploy.Env)-1], "TMPDIR=") + "/*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
