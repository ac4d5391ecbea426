package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"heroku-go-example/internal/herokutest"
)

// readmeCommands returns the commands of the README's shell blocks in their order, without the comments behind them.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(block[1]) {
			command, _, _ := strings.Cut(line, " # ")
			if command = strings.TrimSpace(command); command != "" {
				commands = append(commands, command)
			}
		}
	}
	return commands
}

// A walk is somebody who follows the README in a fresh checkout, with a browser that only fetches pages.
type walk struct {
	*testing.T
	heroku  *herokutest.Heroku
	dir     string
	env     []string
	app     string // its name, once it is created
	browser string // what the browser has shown
	version int    // of the release that should answer
	page    string // the heading of the page that should answer
}

func TestTheReadmesCommandsLeadFromACheckoutToARunningApp(t *testing.T) {
	h := startHeroku(t)
	w := &walk{T: t, heroku: h, dir: checkout(t), browser: filepath.Join(t.TempDir(), "browser"), page: "<h1>Go on Heroku</h1>"}
	w.env = append(append(os.Environ(), h.Env()...), "BROWSER="+w.browser, "NO_COLOR=1", "PORT=0", "GOCACHE="+strings.TrimSpace(run(t, "..", os.Environ(), "go env GOCACHE")))
	script := "#!/bin/sh\ncurl --silent --show-error --cacert " + h.CAFile() + " \"$1\" >>" + w.browser + ".log 2>&1\n"
	if err := os.WriteFile(w.browser, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}

	steps := map[string]func(command string){
		"go run .":                                 w.goRun,
		"heroku login":                             w.login,
		"heroku container:login":                   w.succeeds("Login Succeeded"),
		"heroku create --stack container":          w.create,
		"heroku labs:enable runtime-dyno-metadata": w.succeeds("Enabling"),
		"heroku container:push --recursive":        w.push,
		"heroku container:push web":                w.changeThePageAndPush,
		"heroku container:release web":             w.release,
		"heroku open":                              w.open,
		"heroku logs --tail":                       func(c string) { runUntil(t, w.dir, w.env, c, "path=/version status=200") },
		"heroku ps:scale web=2:standard-1x":        w.succeeds("now running web at 2:standard-1x"),
		"heroku ps":                                w.showsTwoDynos,
		"heroku releases":                          w.succeeds("Current: v4"),
		"heroku rollback":                          w.rollback,
		"heroku config:set TZ=Asia/Tokyo":          w.setTimeZone,
		"go test ./...":                            w.isRunBy("../.ci/run"),
		"e2e/try":                                  w.isRunBy("../.ci/run"),
		"git push heroku main":                     w.isRunBy("image_test.go"),
	}
	done := make(map[string]bool)
	for _, command := range readmeCommands(t) {
		step, ok := steps[command]
		if !ok {
			t.Fatalf("the README says %q, which this test does not know", command)
		}
		step(command)
		done[command] = true
	}
	for command := range steps {
		if !done[command] {
			t.Errorf("the README no longer says %q", command)
		}
	}
}

// succeeds runs the command as it is and looks for the text in what it prints.
func (w *walk) succeeds(text string) func(string) {
	return func(command string) {
		if out := run(w.T, w.dir, w.env, command); !strings.Contains(out, text) {
			w.Fatalf("%s: want %q in what it prints:\n%s", command, text, out)
		}
	}
}

// isRunBy leaves the command to another place, which must name it.
func (w *walk) isRunBy(file string) func(string) {
	return func(command string) {
		content, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(content), command) {
			w.Errorf("%s is not run by %s: %v", command, file, err)
		}
	}
}

func (w *walk) goRun(command string) {
	address := regexp.MustCompile(`http://localhost:\d+`)
	withPage(w.T, w.dir, w.env, command, "serving on", func(printed string) {
		if page := get(w.T, http.DefaultClient, address.FindString(printed)); !strings.Contains(page, w.page) {
			w.Errorf("%s: the page is %s", command, page)
		}
	})
}

// login needs a terminal, which script(1) gives it, and a key to open the browser.
func (w *walk) login(command string) {
	out := run(w.T, w.dir, w.env, "(echo; while ! grep -qs 'Logged in' "+w.browser+".log; do sleep 0.1; done) | script -qec '"+command+"' /dev/null")
	if !strings.Contains(out, "Logged in as you@example.com") {
		w.Fatalf("%s: %s", command, out)
	}
}

func (w *walk) create(command string) {
	out := run(w.T, w.dir, w.env, command)
	match := regexp.MustCompile(`http://([a-z0-9-]+)\.localhost:\d+/`).FindStringSubmatch(out)
	if match == nil {
		w.Fatalf("%s: want the app's address in %s", command, out)
	}
	w.app, w.version = match[1], 2
}

// push pushes with the stand-in for the base image, and sees that the image is in the registry.
func (w *walk) push(command string) {
	before := len(w.heroku.Calls())
	run(w.T, w.dir, w.env, command+" --arg GO_IMAGE="+goImage)
	for _, call := range w.heroku.Calls()[before:] {
		if call.Method == "PUT" && call.Path == "/v2/"+w.app+"/web/manifests/latest" && call.Status == 201 {
			return
		}
	}
	w.Fatalf("%s: no manifest has arrived in the registry", command)
}

func (w *walk) changeThePageAndPush(command string) {
	file := filepath.Join(w.dir, "internal/web/assets/index.html")
	page, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	changed := strings.Replace(string(page), w.page, "<h1>My page</h1>", 1)
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		w.Fatal(err)
	}
	w.page = "<h1>My page</h1>"
	w.push(command)
}

func (w *walk) release(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.answers()
}

// answers sees that the app answers through the router, with the right page from the right release.
func (w *walk) answers() {
	w.Helper()
	client := w.heroku.Client()
	if page := get(w.T, client, w.heroku.URL(w.app)); !strings.Contains(page, w.page) {
		w.Errorf("want %s in the page: %s", w.page, page)
	}
	var version struct{ App, Release, Dyno, SHA256 string }
	if err := json.Unmarshal([]byte(get(w.T, client, w.heroku.URL(w.app)+"version")), &version); err != nil {
		w.Fatal(err)
	}
	if version.App != w.app || version.Release != "v"+string(rune('0'+w.version)) || !strings.HasPrefix(version.Dyno, "web.") {
		w.Errorf("got %+v, want the app %s and the release v%d", version, w.app, w.version)
	}
}

func (w *walk) open(command string) {
	run(w.T, w.dir, w.env, command)
	eventually(w.T, "the browser to show the page", func() bool {
		shown, _ := os.ReadFile(w.browser + ".log")
		return strings.Contains(string(shown), w.page)
	})
}

func (w *walk) showsTwoDynos(command string) {
	eventually(w.T, "two dynos to be up", func() bool {
		out := run(w.T, w.dir, w.env, command)
		return strings.Contains(out, "web.1: up") && strings.Contains(out, "web.2: up")
	})
}

func (w *walk) rollback(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.page = "<h1>Go on Heroku</h1>"
	w.answers()
}

// setTimeZone sees the time zone, which is part of the executable, in the server's log.
func (w *walk) setTimeZone(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.answers()
	if log := w.heroku.Log(w.app); !regexp.MustCompile(`time=\S+\+09:00 level=INFO msg=request`).MatchString(log) {
		w.Errorf("want Tokyo's time in the log:\n%s", log)
	}
}
