package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// answers with the body, whatever is asked.
func answersWith(body string) instead {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, body)
		return true
	}
}

// verifies runs the verify of the checkout as it is now. Each of the lines must be one that it prints.
func (app *deployApp) verifies(what string, code int, env, args []string, lines ...string) {
	app.Helper()
	out, err := app.run(env, app.program("verify"), args...)
	got := 0
	if code == 2 && strings.Count(out, "\n") != 1 {
		app.Errorf("%s: got %q, want one line", what, out)
	}
	if err != nil {
		got = err.(*exec.ExitError).ExitCode()
	}
	if got != code {
		app.Errorf("%s: got %v and %q, want the exit code %d", what, err, out, code)
	}
	for _, line := range lines {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(out) {
			app.Errorf("%s: got %q, want a line like %q", what, out, line)
		}
	}
}

const (
	thisRuns = `What runs is this checkout, if Heroku and the server tell the truth\.`
	elseRuns = `What runs is not this checkout\. Deploy it, or check out the commit that runs\.`
)

func TestVerifySaysWhetherThisCheckoutRuns(t *testing.T) {
	app := newDeployApp(t)
	h, name := app.heroku, []string{"go-on-nix"}
	url, nobody := []string{h.URL("go-on-nix")}, []string{"HEROKU_API_KEY="}
	// With an input that the lock file does not have, Nix does not say the commit.
	nix(t, app.dir, os.Environ(), "nix flake lock")
	run(t, app.dir, os.Environ(), "git add --all && "+commit)
	first := strings.TrimSpace(run(t, app.dir, os.Environ(), "git rev-parse HEAD"))
	app.verifies("nothing released", 1, nil, name, `web image +sha256:[0-9a-f]{12} +nothing +differs`, `web executable +[0-9a-f]{19} +unknown +not said`, `Nothing runs: no process type has a dyno\.`)
	if out, err := app.run(nil, app.program("deploy"), name...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	row := func(what, sum, verdict string) string { return what + " +" + sum + " +" + sum + " +" + verdict }
	image := row("web image", app.id[:19], "same")
	executable := row("web executable", run(t, ".", os.Environ(), "sha256sum "+app.built("server")+"/bin/server")[:19], "same")
	app.verifies("a match", 0, nil, name, "This checkout: "+first, image, executable, thisRuns)
	before := len(h.Calls())
	app.verifies("a URL, without an account", 0, nobody, url, executable, thisRuns)
	if calls := h.Calls()[before:]; len(calls) > 0 {
		t.Errorf("a URL makes the calls %v", calls)
	}

	run(t, app.dir, os.Environ(), "echo '// Edited.' >>README.md")
	app.verifies("another README", 0, nil, name, "This checkout: "+first+"-dirty", image, executable, thisRuns)
	run(t, app.dir, os.Environ(), "sed -i 's/<h1>/<h1>Another /' internal/web/assets/index.html")
	app.verifies("an edited page", 1, nil, name, "This checkout: "+first+"-dirty", `web image .* differs`, `web executable .* differs`, elseRuns)
	edited := strings.TrimSpace(read(t, app.built("image.id")))
	app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith(`[{"type": "web", "quantity": 1, "docker_image": {"id": "` + edited + `"}}]`)})
	app.verifies("before the dynos have restarted", 1, nil, name, `web image .* same`, `web executable .* differs`, `Heroku has this image, but .* Wait until the dynos have restarted\.`)
	run(t, app.dir, os.Environ(), `sed -i 's/commands.web = "web";/& commands.admin-web = "web";/' flake.nix`)
	app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith(`[{"type": "admin-web", "quantity": 1, "docker_image": {"id": "` + edited + `"}}, {"type": "web", "quantity": 1}]`)})
	app.verifies("another type whose name ends in web", 1, nil, name, `admin-web image .* same`, `web image .* not said`, `web executable .* differs`, elseRuns)
	run(t, app.dir, os.Environ(), "git checkout --quiet flake.nix")
	app.answers(nil)
	run(t, app.dir, os.Environ(), "git add --all && "+commit)
	second := strings.TrimSpace(run(t, app.dir, os.Environ(), "git rev-parse HEAD"))
	app.verifies("another commit", 1, nobody, url, "This checkout: "+second, `web executable .* differs`, elseRuns)
	run(t, app.dir, os.Environ(), "git checkout --quiet "+first)
	app.verifies("the first commit again", 0, nil, name, "This checkout: "+first, image, executable, thisRuns)

	// An image of Docker's.
	env := append(append(os.Environ(), h.Env()...), "HEROKU_API_KEY="+h.Token(), "HEROKU_APP=go-on-nix")
	run(t, app.dir, env, "heroku container:login && heroku container:push web --arg GO_IMAGE="+goImage+" && heroku container:release web")
	app.verifies("Docker's image", 1, nil, name, `web image .* differs`, executable, elseRuns, `The executable of web is this one\. Docker has built the image, .*`)
}

func TestVerifyComparesWhatIsSaid(t *testing.T) {
	app := newDeployApp(t)
	name := []string{"go-on-nix"}
	formation := func(image string) map[string]instead {
		return map[string]instead{"GET /apps/go-on-nix/formation": answersWith(`[{"type": "clock", "docker_image": {"id": "sha256:` + strings.Repeat("0", 64) + `"}}, {"type": "web", "docker_image": ` + image + `}]`)}
	}
	app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith(`[{"type": "clock", "quantity": 1, "docker_image": {"id": "sha256:` + strings.Repeat("0", 64) + `"}},
		{"type": "old", "quantity": 0}, {"type": "web", "quantity": 0, "docker_image": {"id": "` + app.id + `"}}]`)})
	app.verifies("a process type that is no longer here", 1, nil, name, `web image .* same`, `web executable .* not said`, `This checkout has no clock\. To end it: heroku ps:scale clock=0 --app go-on-nix`,
		`All else that runs is this checkout, if Heroku and the server tell the truth\.`)
	for _, test := range []struct {
		image, want string
		code        int
	}{
		{`{"id": "` + app.id + `"}`, "same", 0},
		{`"` + app.id + `"`, "same", 0},
		{`"` + strings.TrimPrefix(app.id, "sha256:") + `"`, "same", 0},
		{`{"id": "sha256:` + strings.Repeat("0", 64) + `"}`, "differs", 1},
		{`null`, "not said", 2},
		{`{"id": "\u001b[2J"}`, "not said", 2},
	} {
		app.answers(formation(test.image))
		if test.code == 2 {
			app.verifies(test.image, 2, nil, name, `verify: .*/version does not say which executable runs, nor Heroku which image`)
		} else {
			app.verifies(test.image, test.code, nil, name, "web image .* "+test.want, `web executable .* not said`, `Nothing runs: no process type has a dyno\.`)
		}
	}
}

func TestVerifyEndsWithOneLineAnd2WhenItCannotAsk(t *testing.T) {
	app := newDeployApp(t)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"sha256": "none"}`) }))
	defer silent.Close()
	for what, test := range map[string]struct {
		env, args []string
		want      string
	}{
		"no app":                              {nil, nil, `usage: nix run \.#verify -- APP, or -- URL`},
		"two apps":                            {nil, []string{"one", "two"}, `usage: .*`},
		"an option":                           {nil, []string{"--help"}, `usage: .*`},
		"no token":                            {[]string{"HEROKU_API_KEY="}, []string{"go-on-nix"}, `not logged in to Heroku: .*`},
		"a bad token":                         {[]string{"HEROKU_API_KEY=wrong"}, []string{"go-on-nix"}, `.* does not take the token from HEROKU_API_KEY: .*`},
		"an app whose name begins like a URL": {nil, []string{"https-proxy"}, `there is no app https-proxy: .*`},
		"no such app":                         {nil, []string{"nobodys"}, `there is no app nobodys: .*`},
		"a bad host":                          {[]string{"HEROKU_HOST=example.com"}, []string{"go-on-nix"}, `HEROKU_HOST="example.com": want .*`},
		"nobody there":                        {nil, []string{"http://127.0.0.1:1"}, `curl: \(7\) .*`},
	} {
		app.verifies(what, 2, test.env, test.args, "verify: "+test.want)
	}
	app.verifies("a server that does not say", 2, nil, []string{silent.URL + "/"}, `verify: `+silent.URL+`/version does not say which executable runs`)
	for _, odd := range []string{`{}`, `["web"]`, `[{"type": 1}]`, `null`} {
		app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith(odd)})
		app.verifies(odd, 2, nil, []string{"go-on-nix"}, `verify: api\..* answers something else than an app and its process types`)
	}
	// No dyno runs, whatever Heroku says.
	app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith(`[{"type": "web", "quantity": 1, "docker_image": {"id": "` + app.id + `"}}]`)})
	app.verifies("a crashed app", 2, nil, []string{"go-on-nix"}, `verify: .*/version answers 503`)
	app.answers(map[string]instead{"GET /apps/go-on-nix/formation": answersWith("[{\"type\": \"web\"}]")})
	app.verifies("nobody says it", 2, nil, []string{"go-on-nix"}, `verify: .*/version does not say which executable runs, nor Heroku which image`)
}
