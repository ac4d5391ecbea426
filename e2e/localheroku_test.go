package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

// An app on a local Heroku whose user is logged in.
type testApp struct {
	*testing.T
	heroku           *herokutest.Heroku
	name, repository string
	env              []string
}

func newApp(t *testing.T, h *herokutest.Heroku, name string) *testApp {
	t.Helper()
	app := &testApp{T: t, heroku: h, name: name, repository: "registry." + herokutest.Host + "/" + name + "/web"}
	app.env = append(append(os.Environ(), h.Env()...), "NO_COLOR=1", "HEROKU_APP="+name, "HEROKU_API_KEY="+h.Token())
	run(t, ".", app.env, "heroku container:login && heroku create --stack container "+name)
	return app
}

// image makes an image for the app that holds busybox and what the Dockerfile's last lines say.
func (app *testApp) image(lines string) {
	app.Helper()
	dockerfile := fmt.Sprintf("FROM %s AS box\nFROM scratch\nCOPY --from=box /bin /bin\n%s\n", goImage, lines)
	file := filepath.Join(app.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte(dockerfile), 0o644); err != nil {
		app.Fatal(err)
	}
	run(app.T, filepath.Dir(file), app.env, classic+" docker build --tag "+app.repository+" .")
}

func (app *testApp) push()    { app.Helper(); run(app.T, ".", app.env, "docker push "+app.repository) }
func (app *testApp) release() { app.Helper(); run(app.T, ".", app.env, "heroku container:release web") }

func (app *testApp) waitForLog(pattern string) {
	app.Helper()
	eventually(app.T, "the log to match "+pattern, func() bool {
		return regexp.MustCompile(pattern).MatchString(app.heroku.Log(app.name))
	})
}

func TestADynoRunsAsHerokuWouldRunIt(t *testing.T) {
	h := &herokutest.Heroku{BootTimeout: 3 * time.Second, StopTimeout: 2 * time.Second} // Less patient than the real one.
	start(t, h)
	app := newApp(t, h, "rules")
	deploy := func(lines string) { t.Helper(); app.image(lines); app.push(); app.release() }

	// No ENTRYPOINT: a shell runs even an exec-form CMD, so the variables in it are filled in.
	deploy(`CMD ["echo uid=$(id -u) memory=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null) dyno=$DYNO release=$HEROKU_RELEASE_VERSION; trap 'exit 0' TERM; httpd -f -p $PORT -h /bin & wait"]`)
	app.waitForLog(`app\[web\.1\]: uid=[1-9]\d{3,} memory=536870912 dyno=web.1 release=\n`)
	app.waitForLog(`heroku\[web\.1\]: State changed from starting to up`)
	get(t, h.Client(), h.URL(app.name)+"busybox")
	app.waitForLog(`heroku\[router\]: at=info method=GET path="/busybox" .* dyno=web.1 .* status=200`)

	// An ENTRYPOINT gets CMD as one argument.
	deploy(`ENTRYPOINT ["/bin/busybox", "printf", "<%s>\n"]` + "\n" + `CMD ["two", "words"]`)
	app.waitForLog(`app\[web\.1\]: <two words>\n`)
	app.waitForLog(`Process exited with status 0\n.*State changed from starting to crashed`)

	// R10: the process has to listen on $PORT, where it is reached from outside.
	deploy(`CMD ["exec httpd -f -p 127.0.0.1:$PORT -h /bin"]`)
	app.waitForLog(`Error R10 \(Boot timeout\)`)
	app.waitForLog(`Process exited with status 137\n.*State changed from starting to crashed`)
	if response, err := h.Client().Get(h.URL(app.name)); err != nil || response.StatusCode != 503 {
		t.Errorf("a crashed app: got %v, %v, want 503", response, err)
	}
	app.waitForLog(`at=error code=H10 desc="App crashed"`)

	// R12: what ignores SIGTERM is killed, and the next release runs all the same.
	deploy(`CMD ["trap '' TERM; httpd -f -p $PORT -h /bin"]`)
	app.waitForLog(`State changed from starting to up\n$`)
	if strings.Contains(h.Log(app.name), "R12") {
		t.Errorf("R12 before anything has ignored SIGTERM:\n%s", h.Log(app.name))
	}
	deploy(`CMD ["trap 'exit 0' TERM; httpd -f -p $PORT -h /bin & wait"]`)
	app.waitForLog(`Error R12 \(Exit timeout\)`)
	app.waitForLog(`Stopping remaining processes with SIGKILL\n(.*\n)*.*Process exited with status 137`)
	get(t, h.Client(), h.URL(app.name)+"busybox")
}

func TestWhatHerokuRefuses(t *testing.T) {
	h := startHeroku(t)
	app := newApp(t, h, "refused")
	refuses := func(command, want string) {
		t.Helper()
		out, err := try(t, ".", app.env, command)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %v, %s, want an error with %q", command, err, out, want)
		}
		t.Log(strings.TrimSpace(out))
	}
	app.image(`ENTRYPOINT ["/bin/httpd"]`)
	saved := filepath.Join(t.TempDir(), "image.tar")
	run(t, ".", app.env, "docker save --output "+saved+" "+app.repository)
	copies := func(options string) string {
		return "skopeo --insecure-policy copy --quiet --dest-tls-verify=false " + options + " docker-archive:" + saved + " docker://" + app.repository
	}
	refuses(copies("--format oci --dest-creds _:"+h.Token()), "unsupported")
	refuses(copies("--format v2s2 --dest-creds _:wrong"), "authentication required")
	refuses("heroku container:release web", "manifest unknown")
	app.push()
	refuses("heroku container:release web", "No command specified for process type web")
	refuses("HEROKU_API_KEY=wrong heroku ps", "The token provided to HEROKU_API_KEY is invalid")
	refuses("heroku ps --app nobodys", "Couldn't find that app")
	run(t, ".", app.env, "printf 'FROM "+app.repository+"\\nCMD [\"sleep\", \"9\"]' | docker build --tag "+app.repository+" -")
	app.push()
	app.release()
	refuses("heroku ps:scale web=2", "Cannot update to more than 1 Basic size dynos")
	refuses("heroku ps:scale worker=1", "Couldn't find that process type (worker)")
	run(t, ".", app.env, "heroku create plain")
	refuses("heroku container:push web --app plain", "This command is for Docker apps only")
}

func TestTheWholeWaySaysThatAnotherLocalHerokuRuns(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.77:443")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out, err := try(t, "..", os.Environ(), "sh e2e/try --check")
	if err == nil || !strings.HasSuffix(out, "localheroku: another local Heroku is running: listen tcp 127.0.0.77:443: bind: address already in use\nCleaning up.\n") {
		t.Errorf("got %v and %s", err, out)
	}
}
