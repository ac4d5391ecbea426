package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

// readmes are the texts whose commands are run.
func readmes(t *testing.T) string {
	t.Helper()
	var text string
	for _, file := range []string{"README.md", "docs/docker.md", "docs/verify.md", "docs/existing.md", "docs/examples.md", "docs/operations.md", "docs/ci-and-updates.md", "docs/troubleshooting.md", "elsewhere/README.md"} {
		text += read(t, "../"+file)
	}
	return text
}

func readmeCommands(t *testing.T) []string {
	t.Helper()
	return commandsOf(t, readmes(t))
}

// commandsOf returns the commands of a text's shell blocks in their order, without the comments behind them.
func commandsOf(t *testing.T, text string) (commands []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?ms)^```(.*?)^```$").FindAllStringSubmatch(text, -1) {
		shell, ok := strings.CutPrefix(block[1], "sh\n")
		if !ok && !regexp.MustCompile("^(go|mermaid|nix|text)\n").MatchString(block[1]) {
			t.Fatalf("a block is neither shell nor Go, Mermaid, Nix or text: %s", block[0])
		}
		if !ok {
			continue
		}
		for line := range strings.Lines(regexp.MustCompile(`\\\n\s*`).ReplaceAllString(shell, "")) {
			command, _, _ := strings.Cut(line, " # ")
			if command = strings.TrimSpace(command); command != "" {
				commands = append(commands, command)
			}
		}
	}
	return commands
}

func TestTheReadmeOfANewServiceHasCommandsOfThisOne(t *testing.T) {
	commands := readmeCommands(t)
	for _, command := range commandsOf(t, read(t, "../templates/new/README.md")) {
		if !slices.Contains(commands, command) {
			t.Errorf("the template's README says %q, which this one does not", command)
		}
	}
}

// Each command in a sentence is also in a block, or in moreCommands.
func TestTheReadmesSentencesNameNoOtherCommands(t *testing.T) {
	blocks := readmeCommands(t)
	for _, code := range regexp.MustCompile("`((?:docker|git|go|heroku|kubectl|nix|podman|sh|skopeo) [^`\n]+)`").FindAllStringSubmatch(readmes(t), -1) {
		isKnown := func(command string) bool { return strings.HasPrefix(command, code[1]) }
		if !slices.ContainsFunc(blocks, isKnown) && !slices.ContainsFunc(moreCommands, isKnown) {
			t.Errorf("the README says %q, which stands in none of its blocks", code[1])
		}
	}
}

var moreCommands = []string{
	"docker load <result", "go mod download", "go vet", // what others do
	"go get", "git lfs pull", "docker buildx create --use", "docker buildx imagetools inspect", "docker images", "git diff", "heroku run", "heroku run bash", "heroku run --type migrate migrate", "go build", "heroku rollback v42", "heroku config:set", "heroku ps:exec", "heroku ps:scale web=1", "heroku config:set GODEBUG=gctrace=1", "heroku config:set USER=app", "nix build .#image.arm64.server", "nix build", "git add --force vendor", // with what only the reader knows, or what fails
}

func TestTheReadmesRoutesAnswer(t *testing.T) {
	dir := checkout(t)
	block := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindStringSubmatch(read(t, "../README.md"))
	file := filepath.Join(dir, "internal/web/web.go")
	code := strings.Replace(read(t, file), "\tget(\"/version\", ", block[1]+"\tget(\"/version\", ", 1)
	code = strings.Replace(code, "import (", "import (\n\"fmt\"", 1)
	if err := os.WriteFile(file, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	_, url, _ := startServerIn(t, dir)
	response, err := http.Get(url + "/hello/Fern")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if string(body) != "Hello, Fern!\n" || response.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || response.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %q, %v, want a greeting that other sites may embed", body, response.Header)
	}
	for size, want := range map[int]string{
		10 << 20:   "200 10485760 bytes\n",
		10<<20 + 1: "413 http: request body too large\n",
	} {
		response, err := http.Post(url+"/upload", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if got := fmt.Sprint(response.StatusCode, " ", string(body)); got != want {
			t.Errorf("POST /upload with %d bytes: got %q, want %q", size, got, want)
		}
	}
}

// A walk is somebody who follows the README in a fresh checkout, with a browser that only fetches pages.
type walk struct {
	*testing.T
	heroku  *herokutest.Heroku
	dir     string
	env     []string
	app     string // its name, once it is created
	browser string // what the browser has shown
	sha256  string // of the executable that should answer, as far as it is known
	version int    // of the release that should answer
	page    string // the heading of the page that should answer
	before  string // that of the page before it
	clones  string // where the reader has cloned this checkout
}

var heading = regexp.MustCompile("<h1>.*</h1>")

func TestTheReadmesCommandsLeadFromACheckoutToARunningApp(t *testing.T) {
	h := startHeroku(t)
	w := &walk{T: t, heroku: h, dir: checkout(t), browser: filepath.Join(t.TempDir(), "browser"), page: heading.FindString(read(t, "../internal/web/assets/index.html"))}
	w.env = append(append(os.Environ(), h.Env()...), "BROWSER="+w.browser, "NO_COLOR=1", "PORT=0", "GOFLAGS=")
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} { // They would be in the new home.
		w.env = append(w.env, name+"="+strings.TrimSpace(run(t, "..", os.Environ(), "go env "+name)))
	}
	script := "#!/bin/sh\ncurl --silent --show-error --cacert '" + h.CAFile() + "' \"$1\" >>'" + w.browser + ".log' 2>&1\n"
	if err := os.WriteFile(w.browser, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}

	steps := map[string]func(command string){
		"git clone https://github.com/OWNER/NAME go-on-heroku": w.clone,
		"cd go-on-heroku": w.clone,
		"go run .":        w.goRun,
		"go test ./...":   w.isRunByCI("go test ./..."),
		"sh e2e/try":      w.isRunByCI("sh e2e/try --check"),
		"heroku login":    w.login,
		"heroku create --stack container my-own-app":                        w.create,
		"heroku labs:enable runtime-dyno-metadata":                          w.succeeds("Enabling"),
		"nix run .#deploy -- my-own-app":                                    w.deploy,
		"nix build":                                                         w.changeThePageAndBuild,
		"nix run .#push -- my-own-app":                                      w.arrives(w.nix),
		"heroku container:login":                                            w.succeeds("Login Succeeded"),
		"docker build --tag server .":                                       w.dockerBuild,
		"docker run --rm --publish 8080:8080 server":                        w.dockerRun,
		"heroku container:push --recursive":                                 func(c string) { w.changeThePage("<h1>All of them</h1>"); w.push(c) },
		"heroku container:push web":                                         w.changeThePageAndPush,
		"heroku container:release web":                                      w.release,
		"heroku open":                                                       w.open,
		"git push heroku main":                                              w.gitPush,
		"nix build .#image.arm64":                                           w.standsIn("e2e/engines_test.go"),
		"nix build .#server":                                                w.nix,
		"nix run .#verify -- my-own-app":                                    w.verify,
		"nix run .#verify -- https://my-own-app-0123456789ab.herokuapp.com": w.verify,
		"gh attestation verify result-server --repo OWNER/NAME":             w.isAttested,
		"curl https://my-own-app-0123456789ab.herokuapp.com/version":        func(string) { w.answers() },
		goSettings + goBuild:                                                w.buildsInAnyEnvironment,
		"docker build --platform linux/amd64 --tag server .":                w.dockerBuild,
		"docker create --platform linux/amd64 --name server server":         w.copyFromTheImage,
		"docker cp server:/server result-server":                            w.copyFromTheImage,
		"docker rm server":                                                  w.copyFromTheImage,
		"sha256sum result-server":                                           w.checksum,
		"nix build .#image.id":                                              w.changeThePageAndDeploy,
		"cat result":                                                        w.succeeds("sha256:"),
		"heroku logs --tail":                                                func(c string) { runUntil(t, w.dir, w.env, c, "path=/version status=200", func(string) {}) },
		"heroku ps:scale web=2:standard-1x":                                 w.scale,
		"heroku releases":                                                   w.showsTheImage,
		"heroku rollback":                                                   w.rollback,
		"heroku config:set LOG_FORMAT=json":                                 w.setLogFormat,
		"nix build .#sbom":                                                  w.nix,
		"go mod tidy":                                                       w.succeeds(""),
		"go mod vendor":                                                     w.succeeds(""),
		"git add --all":                                                     w.succeeds(""),
		"nix flake update":                                                  w.nix,
		"nix develop":                                                       w.standsIn("e2e/flake_test.go"),
		"nix flake check":                                                   w.standsIn("e2e/flake_test.go"),
		"nix fmt":                                                           w.standsIn("e2e/flake_test.go"),

		dockerOfToday: w.pushesWithAnother,
		podmanLogin:   w.standsIn("e2e/engines_test.go"),
		podmanBuild:   w.standsIn("e2e/engines_test.go"),
		podmanPush:    w.pushesWithAnother,

		"nix flake init --template github:OWNER/NAME":          w.startProject,
		"nix flake init --template github:OWNER/NAME#existing": w.startProject,
		dockerOfWeb:    w.standsIn("e2e/engines_test.go"),
		dockerOfWorker: w.standsIn("e2e/engines_test.go"),
		"heroku container:push web --arg MAIN=./cmd/web":       w.standsIn("e2e/services_test.go"),
		"heroku container:push worker --arg MAIN=./cmd/worker": w.standsIn("e2e/services_test.go"),
		"heroku ps:scale worker=1":                             w.standsIn("e2e/services_test.go"),
		"heroku container:release web worker":                  w.standsIn("e2e/services_test.go"),

		"heroku create --stack container my-notes":                                 w.standsIn("e2e/examples_test.go"),
		"heroku addons:create heroku-postgresql:essential-0 --wait":                w.standsIn("e2e/examples_test.go"),
		"heroku config:set PGSSLMODE=require":                                      w.standsIn("e2e/examples_test.go"),
		"nix run .#deploy -- my-notes":                                             w.standsIn("e2e/examples_test.go"),
		"heroku run migrate":                                                       w.standsIn("e2e/examples_test.go"),
		"curl --data text=Hello https://my-notes-0123456789ab.herokuapp.com/notes": w.standsIn("e2e/examples_test.go"),
		"curl https://my-notes-0123456789ab.herokuapp.com/notes":                   w.standsIn("e2e/examples_test.go"),
		"npm --prefix frontend ci":                                                 w.standsIn("e2e/examples_test.go"),
		"npm --prefix frontend run build":                                          w.standsIn("e2e/examples_test.go"),
		"echo frontend/node_modules >>.dockerignore":                               w.standsIn("e2e/examples_test.go"),
		"git add --force frontend/dist":                                            w.standsIn("e2e/examples_test.go"),
		"heroku create --stack container my-pages":                                 w.standsIn("e2e/examples_test.go"),
		"nix run .#deploy -- my-pages":                                             w.standsIn("e2e/examples_test.go"),

		`git grep -l heroku-go-example -- ':!vendor' | xargs perl -pi -e 's/heroku-go-example/my-service/g'`: w.rename,
		"git clone --depth 1 https://github.com/OWNER/NAME ../go-on-heroku":                                  w.clone,
		"cp -r ../go-on-heroku/templates/existing/. .":                                                       w.clone,
		"cp -r templates/new/. .": w.standsIn("README.md"), // Another test takes these from there.
		"git rm -r --quiet .ci .github/workflows/e2e.yml CONTRIBUTING.md Dockerfile.web docs e2e findings flake.lock nix templates": w.standsIn("README.md"),
		"heroku ps":                                         w.succeeds("web.1: up"),
		"heroku releases --num 5":                           func(c string) { w.succeeds(fmt.Sprintf("Current: v%d", w.version))(c) },
		"heroku logs --num 1500":                            w.succeeds("heroku[router]"),
		"heroku labs:enable runtime-heroku-metrics":         w.succeeds("Enabling"),
		"heroku labs:enable go-language-metrics":            w.succeeds("Enabling"),
		"heroku authorizations:create --short":              w.succeeds(h.Token() + "\n"),
		"nix run .#push -- registry.example.com/me/shop:v1": w.pushElsewhere,
		dockerForBothChips:                                  w.standsIn("e2e/engines_test.go"),
		"kubectl apply -f elsewhere/kubernetes.yaml":        w.validate,
		"kubectl rollout status deployment/server":          w.isInTheManifest,
		"kubectl port-forward service/server 8080:80":       w.isInTheManifest,
		dokkuRemote: w.standsIn("e2e/dokku_test.go"),
		dokkuPush:   w.standsIn("e2e/dokku_test.go"),
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

// isRunByCI leaves the command to CI, where it is a line of its own.
func (w *walk) isRunByCI(line string) func(string) {
	return func(command string) { w.standsIn(".ci/run")("\n" + line + "\n") }
}

// standsIn leaves the command to the file, which runs or tests it.
func (w *walk) standsIn(file string) func(string) {
	return func(command string) {
		if !strings.Contains(read(w.T, filepath.Join(w.dir, file)), command) {
			w.Errorf("%s does not say %q", file, command)
		}
	}
}

// startProject takes this checkout for the repository on GitHub.
func (w *walk) startProject(command string) {
	out := run(w.T, w.TempDir(), w.env, strings.Replace(command, "github:OWNER/NAME", "git+file://"+w.dir, 1))
	if !strings.Contains(out, "git commit --all") {
		w.Errorf("%s does not say what to do next: %s", command, out)
	}
}

// clone takes this checkout for the repository on GitHub, and a folder of its own for the reader's.
func (w *walk) clone(command string) {
	if w.clones == "" {
		w.clones = w.TempDir()
		run(w.T, w.dir, w.env, commit)
	}
	dir := filepath.Join(w.clones, "service")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	run(w.T, dir, w.env, strings.Replace(command, "https://github.com/OWNER/NAME", "file://"+w.dir, 1))
	if from, ok := strings.CutPrefix(command, "cp -r ../"); ok {
		run(w.T, w.clones, w.env, "diff -r "+strings.TrimSuffix(from, "/. .")+" service --exclude go-on-heroku")
	}
}

// The user's own names and port may be taken here.
const ownImage, ownContainer = "heroku-go-example-e2e:own", "heroku-go-example-e2e-own"

func (w *walk) dockerBuild(command string) {
	atEnd(w.T, func() { exec.Command("docker", "rmi", ownImage).Run() })
	run(w.T, w.dir, w.env, strings.Replace(command, "--tag server", "--build-arg GO_IMAGE="+goImage+" --tag "+ownImage, 1))
}

func (w *walk) copyFromTheImage(command string) {
	atEnd(w.T, func() { exec.Command("docker", "rm", "--force", ownContainer).Run() })
	names := strings.NewReplacer("--name server server", "--name "+ownContainer+" "+ownImage, "server:", ownContainer+":", "rm server", "rm "+ownContainer)
	run(w.T, w.dir, w.env, names.Replace(command))
}

// goSettings are what the README puts before go build.
const goSettings = "CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOTOOLCHAIN=$(sed -n 's/.* GOTOOLCHAIN=\\([^ ]*\\) .*/\\1/p' Dockerfile) " +
	"GOENV=off GO111MODULE= GOFLAGS= GOAMD64= GOEXPERIMENT= GOFIPS140= GOWORK=$(ls \"$PWD/go.work\" 2>/dev/null || echo off) "

// buildsInAnyEnvironment builds with settings that change the bytes where the command does not set them.
func (w *walk) buildsInAnyEnvironment(command string) {
	work, settings := filepath.Join(filepath.Dir(w.dir), "go.work"), filepath.Join(w.TempDir(), "env")
	if err := os.WriteFile(work, []byte("go 1.26\n"), 0o644); err != nil {
		w.Fatal(err)
	}
	defer os.Remove(work)
	if err := os.WriteFile(settings, []byte("GOFLAGS=-tags=elsewhere\n"), 0o644); err != nil {
		w.Fatal(err)
	}
	env := append(w.env, "GOENV="+settings, "GO111MODULE=off", "GOFLAGS=-tags=other", "GOAMD64=v3", "GOEXPERIMENT=jsonv2", "GOFIPS140=latest")
	run(w.T, w.dir, env, command)
}

func (w *walk) dockerRun(command string) {
	atEnd(w.T, func() { exec.Command("docker", "rm", "--force", ownContainer).Run() })
	command = strings.Replace(command, "--publish 8080:8080 server", "--publish 127.0.0.1:0:8080 --name "+ownContainer+" "+ownImage, 1)
	runUntil(w.T, w.dir, w.env, command, "serving on", func(string) {
		address := strings.TrimSpace(run(w.T, w.dir, w.env, "docker port "+ownContainer+" 8080"))
		if page := get(w.T, http.DefaultClient, "http://"+address); !strings.Contains(page, w.page) {
			w.Errorf("%s: the page is %s", command, page)
		}
	})
}

// pushElsewhere pushes to a registry of this machine.
func (w *walk) pushElsewhere(command string) {
	registry := serveRegistry(w.T, w.TempDir())
	w.nix(strings.Replace(command, "registry.example.com", registry, 1))
	platformsOf(w.T, registry, "me/shop", "v1")
}

// rename gives a copy another name, and sees that it builds and that git ignores what is built.
func (w *walk) rename(command string) {
	dir := filepath.Join(w.TempDir(), "service")
	run(w.T, w.dir, w.env, "git add --all && git checkout-index --all --prefix "+dir+"/")
	run(w.T, dir, w.env, "git init --quiet && git add --all && "+command+" && go vet ./... && go build -buildvcs=false && git add --all")
	if found, err := try(w.T, dir, w.env, "git grep -l heroku-go-example -- ':!vendor' ':!e2e'; git ls-files my-service"); strings.TrimSpace(found) != "" {
		w.Errorf("%s leaves %v %s", command, err, found)
	}
}

// isInTheManifest sees that kubectl would find what the command names.
func (w *walk) isInTheManifest(command string) {
	deployment, _, service := theManifests(w.T)
	names := []string{"deployment/" + deployment.Metadata.Name, fmt.Sprintf("service/%s 8080:%d", service.Metadata.Name, service.Spec.Ports[0].Port)}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(command, " "+name) }) {
		w.Errorf("%s: the manifest has %q", command, names)
	}
}

// validate takes the place of kubectl, which wants a cluster.
func (w *walk) validate(command string) {
	if _, err := manifests(w.T, filepath.Join(w.dir, strings.TrimPrefix(command, "kubectl apply -f "))); err != nil {
		w.Error(err)
	}
}

func (w *walk) goRun(command string) {
	address := regexp.MustCompile(`http://localhost:\d+`)
	runUntil(w.T, w.dir, w.env, command, "serving on", func(printed string) {
		if page := get(w.T, http.DefaultClient, address.FindString(printed)); !strings.Contains(page, w.page) {
			w.Errorf("%s: the page is %s", command, page)
		}
	})
}

// login needs a terminal, which script(1) gives it, and a key to open the browser.
func (w *walk) login(command string) {
	out := run(w.T, w.dir, w.env, "(echo; until grep -qs 'Logged in' '"+w.browser+".log'; do sleep 0.1; done) | script -qec '"+command+"' /dev/null")
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

// arrives sees that the command's image is in the registry.
func (w *walk) arrives(push func(string)) func(string) {
	return func(command string) {
		before := len(w.heroku.Calls())
		push(command)
		for _, call := range w.heroku.Calls()[before:] {
			if call.Method == "PUT" && call.Path == "/v2/"+w.app+"/web/manifests/latest" && call.Status == 201 {
				return
			}
		}
		w.Fatalf("%s: no manifest has arrived in the registry", command)
	}
}

// push pushes with the stand-in for the base image.
func (w *walk) push(command string) {
	w.arrives(func(command string) { run(w.T, w.dir, w.env, command+" --arg GO_IMAGE="+goImage) })(command)
}

func (w *walk) nix(command string) { nix(w.T, w.dir, w.env, command) }

func (w *walk) deploy(command string) {
	out := nix(w.T, w.dir, w.env, command)
	w.version++
	if !strings.Contains(out, fmt.Sprintf("Release: v%d\n", w.version)) || !strings.Contains(out, w.heroku.URL(w.app)) {
		w.Errorf("%s: want the release v%d and the URL in %s", command, w.version, out)
	}
	w.answers()
}

// changeThePageAndBuild changes the page, for Heroku makes no release of an image that runs already.
func (w *walk) changeThePageAndBuild(command string) {
	w.changeThePage("<h1>In steps</h1>")
	w.nix(command)
}

func (w *walk) changeThePageAndDeploy(command string) {
	w.changeThePage("<h1>Deployed with Nix</h1>")
	w.deploy("nix run .#deploy -- " + w.app)
	w.nix(command)
}

// verify sees that what runs, which Docker's builder has built, is another image with the same executable.
func (w *walk) verify(command string) {
	command = strings.Replace(strings.Replace(command, "my-own-app", w.app, 1), "https://"+w.app+"-0123456789ab.herokuapp.com", w.heroku.URL(w.app), 1)
	out, err := try(w.T, w.dir, w.env, withDouble(w.T, w.dir, command))
	if !regexp.MustCompile(`(?m)^web executable .* same$`).MatchString(out) || (err == nil) != strings.Contains(command, "http") {
		w.Errorf("%s: got %v and %s", command, err, out)
	}
}

// isAttested leaves the command to GitHub, for which CI signs such a file.
func (w *walk) isAttested(string) {
	if steps := readWorkflow(w.T, "ci.yml").Jobs["attest"].Steps; !strings.Contains(fmt.Sprint(steps), "subject-path:server") {
		w.Errorf("CI attests something else: %v", steps)
	}
}

// checksum takes note of what should answer.
func (w *walk) checksum(command string) {
	w.sha256, _, _ = strings.Cut(run(w.T, w.dir, w.env, command), " ")
	w.answers()
}

func (w *walk) showsTheImage(command string) {
	id := strings.TrimPrefix(read(w.T, filepath.Join(w.dir, "result")), "sha256:")
	out := run(w.T, w.dir, w.env, command)
	if !strings.Contains(out, fmt.Sprintf("Current: v%d", w.version)) || !strings.Contains(out, id[:12]) {
		w.Errorf("%s: want the release v%d and the image %s in %s", command, w.version, id, out)
	}
}

func (w *walk) changeThePageAndPush(command string) {
	w.changeThePage("<h1>My page</h1>")
	w.push(command)
	here := w.dir
	run(w.T, w.dir, w.env, "git add --all")
	w.dir = windowsClone(w.T, here)
	run(w.T, w.dir, w.env, "git remote add heroku $(git -C "+here+" remote get-url heroku)")
	w.push(command) // Which the README says for Windows, where Dockerfile.web is no link.
	w.dir = here
}

// pushesWithAnother leaves the command to the test of other engines. What it would push, the CLI pushes.
func (w *walk) pushesWithAnother(command string) {
	w.standsIn("e2e/engines_test.go")(command)
	w.changeThePage("<h1>" + strings.Fields(command)[0] + "</h1>")
	w.push("heroku container:push web")
}

func (w *walk) changeThePage(to string) {
	file := filepath.Join(w.dir, "internal/web/assets/index.html")
	changed := heading.ReplaceAllLiteralString(read(w.T, file), to)
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		w.Fatal(err)
	}
	w.before, w.page, w.sha256 = w.page, to, ""
}

// gitPush does what Heroku does after a push: it builds the image as heroku.yml says, with the classic builder and the
// Dockerfile's folder as context, and releases it with its own CMD. The local Heroku has no git server.
func (w *walk) gitPush(string) {
	w.changeThePage("<h1>Pushed by git</h1>")
	var yml []string
	for line := range strings.Lines(read(w.T, filepath.Join(w.dir, "heroku.yml"))) {
		if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
			yml = append(yml, strings.TrimSpace(line))
		}
	}
	if want := []string{"build:", "docker:", "web: Dockerfile"}; !slices.Equal(yml, want) {
		w.Fatalf("got heroku.yml %q, want %q and no run, so that the image's CMD counts", yml, want)
	}
	image := "registry." + herokutest.Host + "/" + w.app + "/web"
	run(w.T, w.dir, w.env, classic+" docker build --file Dockerfile --build-arg GO_IMAGE="+goImage+" --tag "+image+" . && docker push "+image)
	w.release("heroku container:release web")
}

func (w *walk) release(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.answers()
}

// answers sees that the app answers through the router, with the right page from the right release. The router may choose
// the dyno of the release before for a moment.
func (w *walk) answers() {
	w.Helper()
	client := w.heroku.Client()
	release := "v" + strconv.Itoa(w.version)
	var version struct{ App, Release, Dyno, SHA256 string }
	eventually(w.T, w.page+" from "+release, func() bool {
		if err := json.Unmarshal([]byte(get(w.T, client, w.heroku.URL(w.app)+"version")), &version); err != nil {
			w.Fatal(err)
		}
		return version.Release == release && strings.Contains(get(w.T, client, w.heroku.URL(w.app)), w.page)
	})
	if w.sha256 != "" && version.SHA256 != w.sha256 {
		w.Errorf("the executable that answers has the sha256 %s, want %s", version.SHA256, w.sha256)
	}
	if version.App != w.app || !strings.HasPrefix(version.Dyno, "web.") {
		w.Errorf("got %+v, want a web dyno of the app %s", version, w.app)
	}
}

func (w *walk) open(command string) {
	run(w.T, w.dir, w.env, command)
	eventually(w.T, "the browser to show the page", func() bool {
		shown, _ := os.ReadFile(w.browser + ".log")
		return strings.Contains(string(shown), w.page)
	})
}

func (w *walk) scale(command string) {
	w.succeeds("now running web at 2:standard-1x")(command)
	eventually(w.T, "two dynos to be up", func() bool {
		out := run(w.T, w.dir, w.env, "heroku ps")
		return strings.Contains(out, "web.1: up") && strings.Contains(out, "web.2: up")
	})
}

func (w *walk) rollback(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.page = w.before
	w.answers()
}

func (w *walk) setLogFormat(command string) {
	run(w.T, w.dir, w.env, command)
	w.version++
	w.answers()
	line := regexp.MustCompile(`app\[web\.\d\]: {"time":"[^"]+","level":"INFO","msg":"request","method":"GET"`)
	eventually(w.T, "JSON in the log", func() bool { return line.MatchString(w.heroku.Log(w.app)) })
}

// runUntil runs a command that does not end by itself. Once it has printed the text, runUntil calls check with all that was
// printed, and interrupts the command.
func runUntil(t *testing.T, dir string, env []string, command, text string, check func(printed string)) {
	t.Helper()
	shell := exec.Command("sh", "-c", command)
	shell.Dir, shell.Env = dir, env
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stderr = shell.Stdout
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	defer shell.Wait()
	defer syscall.Kill(-shell.Process.Pid, syscall.SIGINT)
	var printed bytes.Buffer
	buffer := make([]byte, 4096)
	for !strings.Contains(printed.String(), text) {
		n, err := out.Read(buffer)
		printed.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%s: ended without printing %q:\n%s", command, text, &printed)
		}
	}
	check(printed.String())
}
