package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// A service is one of services/ with what the template "existing" puts into it.
type service struct {
	dir string
	env []string
}

// newService makes the service. Its flake gets the options.
func newService(t testing.TB, name, options string) *service {
	t.Helper()
	s := &service{dir: filepath.Join(t.TempDir(), name), env: append(os.Environ(), "GOPROXY=file:///modules")} // Nothing is downloaded.
	// As a checkout under umask 077 leaves it.
	run(t, ".", os.Environ(), "cp -r services/"+name+" "+s.dir+" && chmod -R go= "+s.dir)
	run(t, s.dir, s.env, "git init --quiet && nix flake init --template git+file://"+checkout(t)+"#existing && git add --all")
	s.setOptions(t, options)
	return s
}

func (s *service) setOptions(t testing.TB, options string) {
	t.Helper()
	flake := filepath.Join(s.dir, "flake.nix")
	text := regexp.MustCompile(`src = self;.* }`).ReplaceAllLiteralString(read(t, flake), "src = self; "+options+" }")
	if err := os.WriteFile(flake, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *service) tryNix(t testing.TB, command string) (string, error) {
	t.Helper()
	return try(t, s.dir, s.env, withDouble(t, s.dir, command))
}

func (s *service) nix(t testing.TB, command string) string {
	t.Helper()
	return nix(t, s.dir, s.env, command)
}

// built builds a package and returns its path.
func (s *service) built(t *testing.T, what string) string {
	t.Helper()
	return strings.TrimSpace(s.nix(t, "nix build --no-link --print-out-paths .#"+what+" 2>/dev/null"))
}

// withModules makes the base image for Go with the services' modules, and returns its tag.
func withModules(t testing.TB) (tag string) {
	t.Helper()
	tag = "heroku-go-example-e2e:with-modules"
	run(t, ".tools/modules", os.Environ(), fmt.Sprintf("printf 'FROM %s\\nCOPY . /modules\\nENV GOPROXY=file:///modules\\n' >../modules.Dockerfile && %s docker build --quiet --file ../modules.Dockerfile --tag %s .", goImage, classic, tag))
	return tag
}

// tryDocker builds the image with the arguments.
func (s *service) tryDocker(t testing.TB, builder, tag string, args ...string) (string, error) {
	t.Helper()
	base := withModules(t)
	atEnd(t, func() { exec.Command("docker", "rmi", tag).Run() })
	command := fmt.Sprintf("%s docker build --network none --build-arg GO_IMAGE=%s --tag %s", builder, base, tag)
	for _, arg := range args {
		command += " --build-arg '" + arg + "'"
	}
	return try(t, s.dir, os.Environ(), command+" .")
}

func (s *service) docker(t testing.TB, builder, tag string, args ...string) {
	t.Helper()
	if out, err := s.tryDocker(t, builder, tag, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// shape is a service, with what its two ways to build must be told.
type shape struct {
	name    string
	options string   // of the flake
	args    []string // of the Dockerfile
	path    string
	want    string // in what GET path answers
}

const (
	modulesHash = `vendorHash = "sha256-M78QEhU2dGO6IF0RX/MpvQruiHjJ5TWN2/NeVpUMQF4=";`
	grpcHash    = `vendorHash = "sha256-baFUYKKgauoUUUbDTxUtMT1rKOC4iA91g1uZYItFZC0=";`
)

var shapes = []shape{
	{name: "programs", options: `main = "cmd/web";`, args: []string{"MAIN=cmd/web"}, want: "hello from web"},
	{name: "names", want: "package result"},
	{name: "disk", options: `files = [ "templates" "static" "frontend/dist" "frontend/notes" "certs" ];`, args: []string{"FILES=templates static frontend/dist frontend/notes certs"}, want: "templates/index.html"},
	{name: "modules", options: modulesHash, path: "id/fern", want: "-"},
	{name: "oddvendor", want: "odd"},
	{name: "grpc", options: grpcHash, want: "hello"},
	{name: "tls", options: `tags = [ "roots" ];`, args: []string{"TAGS=roots"}, want: "hello"},
	{name: "strict", options: `ldflags = [ "-X main.version=v1.2.3" ];`, args: []string{"LDFLAGS=-X main.version=v1.2.3"}, path: "version", want: "v1.2.3"},
}

func TestServicesOfAnyShapeGetTheSameBytesFromNixAndDockerAndAnswer(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			s := newService(t, shape.name, shape.options)
			tag := s.isTheSameByNixAndDocker(t, shape)
			for _, file := range []string{"-rwxr-xr-x 0:0 @0 static/helper", "-rw-r--r-- 0:0 @0 static/latest.css", "-rw-r--r-- 0:0 @0 frontend/dist/site.css", "-rw-r--r-- 0:0 @0 certs/example.pem"} { // By links, too.
				if shape.name == "disk" && !slices.Contains(files(t, tag), file) {
					t.Errorf("got the files %q, want %s", files(t, tag), file)
				}
			}
			for _, image := range []string{shape.name, tag} {
				_, address := startContainer(t, image)
				if shape.name == "grpc" {
					answersHTTP2(t, address)
				}
				if got := get(t, http.DefaultClient, "http://"+address+"/"+shape.path); !strings.Contains(got, shape.want) {
					t.Errorf("the image %s answers %q, want %q in it", image, got, shape.want)
				}
				if shape.name == "disk" {
					hasNoDate(t, "http://"+address+"/static/site.css")
				}
			}
		})
	}
}

// isTheSameByNixAndDocker builds the image with Nix, as the service's name, and with both of Docker's builders. It returns the tag of the
// classic one's.
func (s *service) isTheSameByNixAndDocker(t *testing.T, shape shape) (tag string) {
	t.Helper()
	tag = "heroku-go-example-e2e:" + shape.name
	s.docker(t, classic, tag, shape.args...)
	want := layers(t, tag)[0]
	s.docker(t, buildKit, tag+"-buildkit", shape.args...)
	if !bytes.Equal(layers(t, tag+"-buildkit")[0], want) {
		t.Error("docker's two builders give different layers")
	}
	if !bytes.Equal([]byte(read(t, s.built(t, "server")+"/bin/server")), server(t, tag)) {
		t.Error("Nix and Docker give different executables")
	}
	run(t, s.dir, os.Environ(), "docker load <"+s.built(t, "image"))
	atEnd(t, func() { exec.Command("docker", "rmi", shape.name).Run() })
	if got, want := files(t, shape.name), files(t, tag); !slices.Equal(got, want) {
		t.Errorf("Nix lays the files %q into the image, Docker %q", got, want)
	}
	theirs := contents(t, tag)
	for name, content := range contents(t, shape.name) {
		if content != theirs[name] {
			t.Errorf("Nix and Docker give %s different contents", name)
		}
	}
	if got, want := config(t, shape.name), config(t, tag); got != want || !strings.HasSuffix(want, " 10001:10001") {
		t.Errorf("Nix gives the image %s, Docker %s, want the same command and user", got, want)
	}
	return tag
}

// hasNoDate sees that a browser which has an older file gets this one.
func hasNoDate(t *testing.T, url string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("If-Modified-Since", "Tue, 01 Jan 1980 00:00:00 GMT")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if date := response.Header.Get("Last-Modified"); response.StatusCode != 200 || date != "" {
		t.Errorf("%s: got %s, last modified %q, want 200 and no date", url, response.Status, date)
	}
}

// contents are what the files in the one layer of an image hold, root certificates and time zones, too.
func contents(t *testing.T, tag string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for header, content := range untar(t, layers(t, tag)[0]) {
		all[strings.TrimPrefix(header.Name, "./")] = string(content)
	}
	return all
}

// files lists the one layer of an image.
func files(t *testing.T, tag string) []string {
	t.Helper()
	var list []string
	for header := range untar(t, layers(t, tag)[0]) {
		if name := strings.Trim(strings.TrimPrefix(header.Name, "./"), "/"); name != "" {
			list = append(list, fmt.Sprintf("%v %d:%d @%d %s", header.FileInfo().Mode(), header.Uid, header.Gid, header.ModTime.Unix(), name))
		}
	}
	slices.Sort(list)
	return list
}

// answersHTTP2 sees that HTTP/2 without TLS works, and gRPC: it asks whether the server is healthy.
func answersHTTP2(t *testing.T, address string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	if got := get(t, client, "http://"+address); !strings.Contains(got, "hello") {
		t.Errorf("HTTP/2: got %q", got)
	}
	const empty = "\x00\x00\x00\x00\x00" // a message of no bytes, not compressed
	response, err := client.Post("http://"+address+"/grpc.health.v1.Health/Check", "application/grpc", strings.NewReader(empty))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if serving := "\x00\x00\x00\x00\x02\x08\x01"; err != nil || string(body) != serving || response.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("gRPC: got %v, %q, %v, want that it serves", err, body, response.Trailer)
	}
}

func TestAfterAnEditOfAServiceOnlyItsOwnPackagesAreCompiled(t *testing.T) {
	for _, shape := range shapes {
		if shape.name != "grpc" && shape.name != "tls" { // Many dependencies, with vendor/ and without.
			continue
		}
		s := newService(t, shape.name, shape.options)
		const tag = "heroku-go-example-e2e:edited"
		writeProfile(t, filepath.Join(s.dir, "default.pgo"))
		run(t, s.dir, os.Environ(), "mkdir -p testdata && echo rubbish >testdata/default.pgo && git add --all")
		ways := map[string]func() string{
			"docker": func() string {
				out, err := s.tryDocker(t, classic, tag, shape.args...)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				return out
			},
			"nix": func() string { return s.nix(t, "nix build .#server --print-build-logs") },
		}
		for way, build := range ways {
			build()
			// Both remember what they have built once.
			run(t, s.dir, os.Environ(), fmt.Sprintf("echo 'var edited%[1]d = %[1]d' >>main.go", time.Now().UnixNano()))
			if got, want := compiled(build()), []string{"example.com/services/" + shape.name}; !slices.Equal(got, want) {
				t.Errorf("after an edit of %s, %s compiles %q, want %q", shape.name, way, got, want)
			}
		}
		if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
			t.Errorf("docker and Nix give different executables of %s", shape.name)
		}
		if !strings.Contains(run(t, s.dir, os.Environ(), "go version -m "+s.built(t, "server")+"/bin/server"), "-pgo=default.pgo") {
			t.Error("the executable is built without the profile")
		}
	}
}

// writeProfile profiles a little work, for a file that go build reads beside main.
func writeProfile(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		t.Fatal(err)
	}
	defer pprof.StopCPUProfile()
	for start := time.Now(); time.Since(start) < time.Second/2; {
		regexp.MustCompile(`(a|b)*c`).MatchString(strings.Repeat("ab", 1000))
	}
}

const twoPrograms = `main = "cmd/web"; commands = { web = "--"; worker.main = "cmd/worker"; };`

func TestProcessTypesAreReleasedAtOnceOrOneAlone(t *testing.T) {
	s, app := newService(t, "programs", twoPrograms), newApp(t, startHeroku(t), "several")
	s.env = append(s.env, app.env...)
	calls := func(command string) (paths []string, out string) {
		before := len(app.heroku.Calls())
		out = s.nix(t, command)
		for _, call := range app.heroku.Calls()[before:] {
			if call.Method == "PATCH" || call.Method == "PUT" || call.Method == "POST" && call.Status == 201 {
				paths = append(paths, call.Method+" "+regexp.MustCompile(`/uploads/.*`).ReplaceAllString(call.Path, "/uploads/"))
			}
		}
		return paths, out
	}
	paths, out := calls("nix run .#deploy -- several")
	t.Log(paths)
	if n := strings.Count(strings.Join(paths, "\n"), "PATCH /apps/several/formation"); n != 1 || !strings.Contains(out, "Release: v3\n") {
		t.Errorf("deploy makes %d releases, want one: %s", n, out)
	}
	if idle := "No dyno runs worker: 'heroku ps:scale worker=1 --app several' starts one\n"; !strings.Contains(out, idle) || strings.Contains(out, "runs web") {
		t.Errorf("deploy says %s, want that no dyno runs worker", out)
	}
	run(t, ".", app.env, "heroku ps:scale worker=1")
	app.waitForLog(`app\[worker\.1\]: .*working`)
	if got := get(t, app.heroku.Client(), app.heroku.URL("several")); !strings.Contains(got, "hello from web") {
		t.Errorf("web answers %q", got)
	}
	run(t, s.dir, s.env, "echo '// Edited.' >>cmd/worker/main.go && sed -i 's/working/still working/' cmd/worker/main.go")
	if _, out := calls("nix run .#deploy -- several worker"); strings.Contains(out, "several/web") || !strings.Contains(out, "several/worker") || !strings.Contains(out, "Release: v4\n") {
		t.Errorf("deploy of worker: got %s, want it alone in v4", out)
	}
	app.waitForLog(`app\[worker\.1\]: .*still working`)
	if out := s.nix(t, "nix run .#verify -- several"); !regexp.MustCompile(`(?s)web image .* same\n.*not said\nworker image .* same\nWhat runs is this checkout`).MatchString(out) {
		t.Errorf("verify says %s", out)
	}
	s.setOptions(t, `main = "cmd/web";`)
	gone := "This checkout has no worker. To end it: heroku ps:scale worker=0 --app several\nAll else that runs is this checkout, "
	if out, err := s.tryNix(t, "nix run .#verify -- several"); err == nil || !strings.Contains(out, gone) {
		t.Errorf("without worker verify says %v, %s, want %s", err, out, gone)
	}
	s.setOptions(t, twoPrograms)
	out, err := s.tryNix(t, "nix run .#deploy -- several clock")
	if want := "deploy: there is no process type clock: want one of web worker\n"; err == nil || !strings.HasSuffix(out, want) {
		t.Errorf("got %v and %s, want %s", err, out, want)
	}
}

func TestImagesOfTheSameProgramDifferInTheirWordAlone(t *testing.T) {
	s := newService(t, "disk", `files = [ "templates" "static" ]; commands = { web = "--"; clock = "clock"; };`)
	h := startHeroku(t)
	app := newApp(t, h, "equal")
	s.env = append(s.env, app.env...)
	s.nix(t, "nix run .#deploy -- equal")
	var uploads, mounts int
	for _, call := range h.Calls() {
		if call.Method == "POST" && strings.HasSuffix(call.Path, "/blobs/uploads/") {
			if call.Status == 201 {
				mounts++
			} else if call.Status == 202 {
				uploads++
			}
		}
	}
	if uploads != 3 || mounts != 1 {
		t.Errorf("got %d uploads and %d mounts, want the layer and two configurations, and the layer again", uploads, mounts)
	}
	if got := get(t, h.Client(), h.URL("equal")); !strings.Contains(got, "templates/index.html") {
		t.Errorf("got %q", got)
	}
	if s.built(t, "server") != s.built(t, "server-clock") {
		t.Error("the program is built twice")
	}
}

func TestAServiceThatRejectsArgumentsIsReleased(t *testing.T) {
	s, app := newService(t, "strict", ""), newApp(t, startHeroku(t), "strict")
	s.env = append(s.env, app.env...)
	s.nix(t, "nix run .#deploy -- strict")
	if got := get(t, app.heroku.Client(), app.heroku.URL("strict")); !strings.Contains(got, "hello") {
		t.Errorf("got %q", got)
	}
}

// For a module without go 1.17's pruning, Go asks for each module's go.mod before it lists anything.
func TestAnOldModuleWithoutVendorIsBuilt(t *testing.T) {
	s := newService(t, "modules", modulesHash)
	run(t, s.dir, os.Environ(), `go mod edit -go=1.16 && sed -i '/"cmp"/d; /"os"/d; s/ListenAndServe(.*, r)/ListenAndServe(":8080", r)/' main.go`)
	const tag = "heroku-go-example-e2e:old"
	s.docker(t, classic, tag)
	if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
		t.Error("docker and Nix give different executables")
	}
}

// Before go 1.14 in go.mod, Go looks into vendor/ only when it is told to.
func TestAnOlderModuleWithVendorIsBuilt(t *testing.T) {
	for _, line := range []string{"s/^go .*/go 1.13/", "/^go /d", "s/^go .*/go 1.12\\r/"} {
		s := newService(t, "tls", `tags = [ "roots" ];`)
		run(t, s.dir, os.Environ(), `sed -i '`+line+`; /^toolchain/d' go.mod && sed -i '/"cmp"/d; /"os"/d; s/ListenAndServe(.*, nil)/ListenAndServe(":8080", nil)/' main.go`)
		const tag = "heroku-go-example-e2e:vendored"
		s.docker(t, classic, tag, "TAGS=roots")
		if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
			t.Errorf("after %s docker and Nix give different executables", line)
		}
	}
}

func TestWhatCannotBeBuiltIsSaid(t *testing.T) {
	for _, test := range []struct{ name, edit, options, nix, docker string }{
		{"programs", "true", "", "go-on-heroku: main = null: want one package main in . and cmd/* that git knows, not ./cmd/web ./cmd/worker: set main", "MAIN: want one package main in . and cmd/*, not /src/cmd/web /src/cmd/worker: set MAIN"},
		{"programs", "rm -r cmd && git add --all", "", "go-on-heroku: main = null: want one package main in . and cmd/* that git knows, not none: set main", "MAIN: want one package main in . and cmd/*, not none: set MAIN"},
		{"programs", "true", `main = "internal/greeting";`, "no main packages to build", "no main packages to build"},
		{"newer", "true", "", "go-on-heroku: go.mod or go.work wants go1.99, this flake has go" + goVersion() + ": nix flake update", "go: download go1.99.0 for linux/amd64: toolchain not available"},
		{"cgo", "true", "", "build constraints exclude all Go files", "build constraints exclude all Go files"},
		{"disk", "true", `files = [ "nowhere" ];`, `go-on-heroku: files = ["nowhere"]: want a list of paths that git knows, like "templates", without blanks, except server and tmp`, "FILES=nowhere: want paths of the context, except server and tmp"},
		{"disk", "mkdir server && mv templates server/ && git add --all", `files = [ "server/templates" ];`, `go-on-heroku: files = ["server/templates"]: want`, "FILES=server/templates: want paths of the context, except server and tmp"},
		{"disk", "ln -s nowhere templates/gone.html && git add --all", `files = [ "templates" ];`, "cp: cannot stat 'templates/gone.html'", "cp: can't stat 'templates/gone.html'"},
		{"modules", "true", "", `go-on-heroku: vendorHash = null: want a hash, or "" to be told it, as git knows no vendor/`, ""},
		{"modules", "true", `vendorHash = "rubbish";`, `go-on-heroku: vendorHash = "rubbish": want a hash, or ""`, ""},
		{"modules", "true", `vendorHash = "";`, "got:    " + strings.Split(modulesHash, `"`)[1], ""},
		{"oddvendor", "rm -r vendor/example.com && git add --all", "", "import lookup disabled by -mod=vendor", "import lookup disabled by -mod=vendor"},
		{"tls", "echo vendor >.gitignore && git rm -r --quiet --cached vendor", "", `vendorHash = null: want a hash, or "" to be told it, as git knows no vendor/`, ""},
		{"disk", "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 12345\\n' 0 >templates/logo.png && git add --all", `files = [ "templates" ];`, "go-on-heroku: a pointer of Git LFS, not its file, is in ./templates/logo.png: git lfs pull", "a pointer of Git LFS, not its file, is in /image/templates/logo.png: git lfs pull"},
		{"disk", "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 12345\\n' 0 >logo.png && printf 'package main\\n\\nimport (\\n\\t_ \"embed\"\\n)\\n\\n//go:embed logo.png\\nvar logo string\\n\\nfunc init() { println(logo) }\\n' >logo.go && git add --all", "", "a pointer of Git LFS, not its file, is in ./server: git lfs pull", "a pointer of Git LFS, not its file, is in /image/server: git lfs pull"},
		{"programs", "echo web >.gitignore && git rm -r --quiet --cached cmd/web", `main = "cmd/web";`, `main = "cmd/web": want null or a folder of src that git knows`, ""},
		{"programs", "echo worker >.gitignore && git rm -r --quiet --cached cmd/worker", `commands.worker = { main = "./cmd/worker"; };`, "where main is a folder of src that git knows", ""},
		{"disk", "echo '*_gen.go' >.gitignore && printf 'package main\\n\\nfunc generated() {}\\n' >x_gen.go && sed -i 's/^func main() {/&\\n\\tgenerated()/' main.go", "", "undefined: generated", ""},
		{"disk", "echo templates >>.dockerignore", `files = [ "templates" ];`, `files = ["templates"]: want a list of paths that git knows`, "cp: can't stat 'templates'"},
		{"disk", "printf '*\\n!main.go\\n' >.dockerignore", "", "want a folder with a go.mod or go.work that git knows, and that .dockerignore does not leave out", ""},
		{"disk", "ln -s /etc/passwd templates/passwd && git add --all", `files = [ "templates" ];`, "/etc/passwd", "/etc/passwd"},
	} {
		s := newService(t, test.name, test.options)
		run(t, s.dir, os.Environ(), test.edit)
		if test.nix != "" {
			if out, err := s.tryNix(t, "nix build .#image --print-build-logs"); err == nil || !strings.Contains(out, test.nix) {
				t.Errorf("%s with %q: got %v and %s, want %q", test.name, test.options, err, out, test.nix)
			}
		}
		if test.docker == "" {
			continue
		}
		var args []string
		if option := regexp.MustCompile(`(files|main) = \W*(.*?)"`).FindStringSubmatch(test.options); option != nil {
			args = append(args, strings.ToUpper(option[1])+"="+option[2])
		}
		for _, builder := range []string{classic, buildKit} {
			if out, err := s.tryDocker(t, builder, "heroku-go-example-e2e:wrong", args...); err == nil || !strings.Contains(out, test.docker) {
				t.Errorf("%s with %q: got %v and %s, want %q", test.name, args, err, out, test.docker)
			}
		}
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	origin := checkout(t)
	eval := func(src, options string) (string, error) {
		lib := "(builtins.getFlake \"path:" + origin + "/e2e/nixpkgs\").lib"
		return try(t, "services/programs", os.Environ(), fmt.Sprintf("nix eval --impure --expr '(import %s/nix/options.nix) %s \"%s\" { src = %s; %s }'", origin, lib, goVersion(), src, options))
	}
	for options, want := range map[string]string{
		`name = "My App";`:                     `name = "My App": want lower-case letters and digits, between them '.', '_' or '-'`,
		`name = "shop_";`:                      `name = "shop_": want`,
		`name = "my.-shop";`:                   `name = "my.-shop": want`,
		`name = "a..b";`:                       `name = "a..b": want`,
		`main = "cmd/nope";`:                   `main = "cmd/nope": want null or a folder of src that git knows, like "./cmd/web"`,
		`main = "/cmd/web";`:                   `main = "/cmd/web": want`,
		`main = [ "cmd/web" ];`:                `main = ["cmd/web"]: want`,
		`files = "go.mod";`:                    `files = "go.mod": want a list of paths that git knows, like "templates", without blanks, except server and tmp`,
		`files = [ "/go.mod" ];`:               `files = ["/go.mod"]: want`,
		`files = [ "./cmd" ];`:                 `files = ["./cmd"]: want`,
		`files = [ "cmd/" ];`:                  `files = ["cmd/"]: want`,
		`files = [ "cmd/../go.mod" ];`:         `files = ["cmd/../go.mod"]: want`,
		`files = [ ".." ];`:                    `files = [".."]: want`,
		`files = [ "tmp" ];`:                   `files = ["tmp"]: want`,
		`tags = "a,b";`:                        `tags = "a,b": want a list of words`,
		`tags = [ "a b" ];`:                    `tags = ["a b"]: want`,
		`ldflags = "-X a=b";`:                  `ldflags = "-X a=b": want a list like [ "-X main.version=1" ]`,
		`vendorHash = "sha256-AA";`:            `vendorHash = "sha256-AA": want null, as nothing is downloaded`,
		`commands = "web";`:                    `commands = "web": want a set of process types`,
		`commands = { };`:                      `commands = {}: want`,
		`commands.web = "two words";`:          `commands.web = {"word":"two words"}: want words like [ "serve" "config.yaml" ] without blanks and $, as no shell reads them: the program takes the port from PORT; or { word = "--"; main = "./cmd/web"; }`,
		`commands.web = [ "-addr" ":$PORT" ];`: `commands.web = {"word":["-addr",":$PORT"]}: want words`,
		`commands.web = [ ];`:                  `commands.web = {"word":[]}: want words`,
		`systemFiles = "no";`:                  `systemFiles = "no": want true or false`,
		`commands.web = "";`:                   `commands.web = {"word":""}: want`,
		`commands.Web = "web";`:                `commands.Web = {"word":"web"}: want`,
		`commands.worker.main = "cmd/nope";`:   `commands.worker = {"main":"cmd/nope"}: want`,
		`commands.worker.mian = "cmd/worker";`: `commands.worker = {"mian":"cmd/worker"}: want words`,
		`maxSize = "3 MB";`:                    `maxSize = "3 MB": want null or a number of bytes`,
		`maxSize = 0;`:                         `maxSize = 0: want`,
		`mains = "cmd/web";`:                   `unknown option mains`,
	} {
		if out, err := eval("./.", options); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %v and %s, want %q", options, err, out, want)
		}
	}
	if out, err := eval("./internal", ""); err == nil || !strings.Contains(out, `/internal": want a folder with a go.mod or go.work that git knows`) {
		t.Errorf("a folder without go.mod: got %v and %s", err, out)
	}
	if out, err := eval("null", ""); err == nil || !strings.Contains(out, `src = "": want a folder with a go.mod`) {
		t.Errorf("no src: got %v and %s", err, out)
	}
	if out, err := eval("./.", ""); err != nil || !strings.Contains(out, `name = "programs";`) {
		t.Errorf("no options: got %v and %s, want the name of the module", err, out)
	}
}

func TestTheFlakeOfFiveLinesHasAllThatThisProjectHas(t *testing.T) {
	s := newService(t, "disk", "")
	test := `package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFiles(t *testing.T) {
	_, source, _, _ := runtime.Caller(0)
	if _, err := os.Stat(filepath.Join(filepath.Dir(source), "templates")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("written", nil, 0o644); err != nil {
		t.Error(err)
	}
}
`
	if err := os.WriteFile(filepath.Join(s.dir, "main_test.go"), []byte(test), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, s.dir, os.Environ(), "ln -s nowhere dangling && go mod edit -toolchain=go1.26.1 && printf 'FROM golang\\nENV GOTOOLCHAIN=local\\n' >Dockerfile.dev && mkdir _scaffold && echo 'package {{.Name}}' >_scaffold/main.go && git add --all")
	s.nix(t, "nix flake check")
	s.nix(t, "nix flake check --all-systems --no-build --option allow-import-from-derivation false")
	ours, theirs := nix(t, checkout(t), os.Environ(), "nix flake show --json --all-systems 2>/dev/null"), s.nix(t, "nix flake show --json --all-systems --option allow-import-from-derivation false 2>/dev/null")
	names := regexp.MustCompile(`"([\w-]+)":`)
	list := func(shown string) (list []string) {
		for _, match := range names.FindAllStringSubmatch(shown, -1) {
			if !slices.Contains([]string{"lib", "templates", "existing"}, match[1]) {
				list = append(list, match[1])
			}
		}
		return slices.Compact(slices.Sorted(slices.Values(list)))
	}
	if got, want := list(theirs), list(ours); !slices.Equal(got, want) {
		t.Errorf("got the outputs %q, want %q", got, want)
	}
}

func TestAFlakeOfItsOwnTakesThePackages(t *testing.T) {
	s := newService(t, "strict", "")
	own := `{
	inputs.go-on-heroku.url = "github:OWNER/NAME";
	outputs = { self, go-on-heroku, ... }: {
		packages.x86_64-linux = go-on-heroku.lib.mkPackages go-on-heroku.inputs.nixpkgs.legacyPackages.x86_64-linux { src = ./.; };
	};
}`
	want := s.built(t, "image.id")
	if err := os.WriteFile(filepath.Join(s.dir, "flake.nix"), []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.built(t, "image.id"); got != want {
		t.Errorf("got the image %s, want %s", got, want)
	}
}

func TestOddFilesDisturbNoBuild(t *testing.T) {
	s := newService(t, "modules", modulesHash)
	run(t, s.dir, os.Environ(), `mkdir -p lib notes/examples && printf '\0' >notes/nul.go && cp notes/nul.go ._main.go && mkdir -p testdata/x && ln -s nowhere testdata/x/go.mod && ln -s nowhere notes/examples/client.go && ln -s lib nats.go && printf 'module example.com/lib\n' >lib/go.mod && echo 'package lib' >lib/lib.go
		printf 'require example.com/lib v0.0.0\nreplace example.com/lib => ./lib\n' >>go.mod
		printf '/*\n"Acme (c.) & sons", it'"'"'s\n"example.com/$(exit 1)"\n*/\npackage main\n\nimport _ "example.com/lib"\n' >odd.go && git add --all`)
	const tag = "heroku-go-example-e2e:odd"
	s.docker(t, classic, tag)
	if read(t, s.built(t, "server")+"/bin/server") != string(server(t, tag)) {
		t.Error("Nix and Docker give different executables")
	}
	run(t, s.dir, os.Environ(), fmt.Sprintf("echo 'var edited = %d' >>odd.go", time.Now().UnixNano()))
	out, err := s.tryDocker(t, classic, tag)
	if err != nil {
		t.Fatal(out)
	}
	want := []string{"example.com/lib", "example.com/services/modules"}
	if got := compiled(out); !slices.Equal(got, want) {
		t.Errorf("Docker compiles %q, want %q", got, want)
	}
	if got := compiled(s.nix(t, "nix build .#server --print-build-logs")); !slices.Equal(got, want) {
		t.Errorf("Nix compiles %q, want %q", got, want)
	}
	services, err := filepath.Abs("services")
	if err != nil {
		t.Fatal(err)
	}
	s.setOptions(t, modulesHash+` name = "modules";`)
	run(t, s.dir, os.Environ(), "rm odd.go && cp "+services+"/grpc/* . && git add --all")
	if out, err := s.tryNix(t, "nix build .#server --print-build-logs"); err == nil || !strings.Contains(out, "got:    "+strings.Split(grpcHash, `"`)[1]) {
		t.Errorf("after a change of go.mod: got %v and %s", err, out)
	}
}

// So it is in containers and in some CI.
func TestRootWithoutASandboxBuildsTheSameAndLeavesTheStoreAlone(t *testing.T) {
	s := newService(t, "tls", "")
	unseen := fmt.Sprintf("unseen%d", time.Now().UnixNano())
	s.setOptions(t, `tags = [ "`+unseen+`" ];`)
	s.nix(t, "nix build --no-link --option sandbox false --option build-users-group '' .#checks.x86_64-linux.formatting")
	const build = "nix build --print-out-paths --option sandbox false --option build-users-group '' "
	dependencies := strings.TrimSpace(s.nix(t, build+"--out-link dependencies .#dependencies 2>/dev/null"))
	executable := strings.TrimSpace(s.nix(t, build+"--no-link .#server 2>/dev/null")) + "/bin/server"
	run(t, s.dir, append(goEnv(), "GOFLAGS=-tags="+unseen), goBuild)
	if read(t, executable) != read(t, filepath.Join(s.dir, "result-server")) {
		t.Error("go build gives another executable")
	}
	run(t, s.dir, os.Environ(), "nix store verify --no-trust "+dependencies)
	if _, err := os.Stat("/homeless-shelter"); err == nil {
		t.Error("a builder has made /homeless-shelter")
	}
}

func TestServicesOfSeveralModulesAreBuilt(t *testing.T) {
	const shared = `mkdir shared && printf 'module example.com/shared\n\ngo 1.26.0\n' >shared/go.mod && printf 'package shared\n\nconst Greeting = "hello"\n' >shared/shared.go`
	const imports = `printf 'package main\n\nimport _ "example.com/shared"\n' >>more.go`
	for _, test := range []struct{ what, name, edit, main, answer string }{
		{"a workspace without a module, sums or go.work.sum at the top", "modules",
			shared + " && mkdir api && mv go.mod go.sum main.go api/ && (cd api && " + imports + ") && printf 'go 1.26.0\n\nuse (\n\t./api\n\t./shared\n)\n' >go.work", "./api", "-"},
		{"a workspace in a module without sums", "modules",
			shared + " && mkdir api && mv go.sum main.go api/ && mv go.mod api/ && printf 'module example.com/top\n\ngo 1.26.0\n' >go.mod && (cd api && " + imports + ") && go work init . ./api ./shared", "./api", "-"},
		{"a program of its own module, which is found, with the modules of that alone", "modules",
			"mkdir -p cmd/server && mv go.mod go.sum main.go cmd/server/ && printf 'module example.com/top\n\ngo 1.26.0\n' >go.mod", "", "-"},
		{"a program of its own module, with a vendor/ of that", "modules",
			"mkdir -p cmd/server && mv go.mod go.sum main.go cmd/server/ && printf 'module example.com/top\n\ngo 1.26.0\n' >go.mod && GOPROXY=file://" + tool(t, "modules") + " GOFLAGS=-mod=mod GONOSUMDB='*' go mod vendor -C cmd/server", "", "-"},
		{"a program that replaces the module around it", "programs",
			"rm -r cmd/worker && cd cmd/web && printf 'module example.com/web\n\ngo 1.26.0\n\nrequire example.com/services/programs v0.0.0\n\nreplace example.com/services/programs => ../..\n' >go.mod && sed -i 's|programs/internal|programs|' main.go && cd ../.. && mv internal/greeting . && rmdir internal", "cmd/web", "hello from web"},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := newService(t, test.name, "")
			run(t, s.dir, append(os.Environ(), "GOTOOLCHAIN=local"), test.edit+" && git add --all")
			options, args := `name = "several";`, []string(nil)
			if test.main != "" {
				options, args = options+` main = "`+test.main+`";`, []string{"MAIN=" + test.main}
			}
			if test.name == "modules" && !strings.Contains(test.what, "vendor/") {
				s.setOptions(t, options+` vendorHash = "";`)
				out, _ := s.tryNix(t, "nix build .#server")
				hash := regexp.MustCompile(`got: +(sha256-\S+)`).FindStringSubmatch(out)
				if hash == nil {
					t.Fatalf("Nix says no hash: %s", out)
				}
				options += ` vendorHash = "` + hash[1] + `";`
			}
			s.setOptions(t, options)
			const tag = "heroku-go-example-e2e:several"
			s.docker(t, classic, tag, args...)
			if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
				t.Error("docker and Nix give different executables")
			}
			_, address := startContainer(t, tag)
			path := ""
			if test.name == "modules" {
				path = "id/fern"
			}
			if got := get(t, http.DefaultClient, "http://"+address+"/"+path); !strings.Contains(got, test.answer) {
				t.Errorf("it answers %q, want %q in it", got, test.answer)
			}
		})
	}
}

func TestAProgramThatATagBringsIsFound(t *testing.T) {
	s := newService(t, "strict", `tags = [ "prod" ];`)
	run(t, s.dir, os.Environ(), "sed -i 's/^package main/\\/\\/go:build prod\\n\\n&/' main.go")
	const tag = "heroku-go-example-e2e:prod"
	s.docker(t, classic, tag, "TAGS=prod")
	if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
		t.Error("docker and Nix give different executables")
	}
}

// Many services have one of their own, which the template leaves alone.
func TestBothWaysToBuildReadADockerignoreAlike(t *testing.T) {
	s := newService(t, "strict", "")
	run(t, s.dir, os.Environ(), `printf ' docs\r\n./assets\n/web/\nmy dir\n# data\n*.map\n**/keep\nimg\nlist/*\n!list/a\nvendor\n.hidden\n.git\n*.lock\n' >.dockerignore
		for dir in docs assets web "my dir" data keep deep/keep img list vendor hidden; do mkdir -p "$dir" && echo >"$dir/file"; done
		for file in x.map deep/x.map list/a list/b .env docs_test.go; do echo "// $file" >$file; done
		printf 'package main\n\nimport (\n\t"embed"\n\t"net/http"\n)\n\n//go:embed all:*\nvar all embed.FS\n\nfunc init() { http.Handle("/all/", http.StripPrefix("/all/", http.FileServerFS(all))) }\n' >all.go
		echo 'package main' >docs_test.go && git add --force --all`)
	const tag = "heroku-go-example-e2e:ignored"
	s.docker(t, classic, tag)
	nix := read(t, s.built(t, "server")+"/bin/server")
	s.docker(t, buildKit, tag+"-buildkit")
	if string(server(t, tag+"-buildkit")) != nix {
		t.Error("BuildKit and Nix give different executables")
	}
	if string(server(t, tag)) != nix {
		t.Error("docker's classic builder and Nix give different executables")
	}
}

func TestADockerignoreMayNameWhatItKeeps(t *testing.T) {
	s := newService(t, "programs", `main = "./cmd/web"; files = [ "templates" ];`)
	run(t, s.dir, os.Environ(), `printf '*\n!cmd\n!internal\n! go.mod\n!templates/*.html\n[^a]*.txt\n' >.dockerignore
		mkdir templates && touch templates/index.html templates/notes cmd/web/x.txt && git add --all`)
	const tag = "heroku-go-example-e2e:kept"
	s.docker(t, classic, tag, "MAIN=cmd/web", "FILES=templates")
	if string(server(t, tag)) != read(t, s.built(t, "server")+"/bin/server") {
		t.Error("docker and Nix give different executables")
	}
	run(t, s.dir, os.Environ(), "docker load <"+s.built(t, "image"))
	atEnd(t, func() { exec.Command("docker", "rmi", "programs").Run() })
	if got, want := files(t, "programs"), files(t, tag); !slices.Equal(got, want) {
		t.Errorf("Nix lays the files %q into the image, Docker %q", got, want)
	}
}

// A dyno has no user's name, and a process may write below /tmp alone.
func TestTheCuresForWhatADynoLacksHelp(t *testing.T) {
	s := newService(t, "strict", "")
	const program = `package main

import (
	"fmt"
	"os"
	"os/user"
)

func main() {
	_, err := user.Current()
	fmt.Println(err)
	fmt.Println(os.Mkdir("data", 0o755))
	fmt.Println(os.Mkdir(os.TempDir()+"/data", 0o755))
}
`
	if err := os.WriteFile(filepath.Join(s.dir, "main.go"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	const tag = "heroku-go-example-e2e:lacking"
	s.docker(t, classic, tag)
	for env, want := range map[string]string{
		"":                               "user: Current requires cgo or $USER set in environment\nmkdir data: permission denied\n<nil>\n",
		"--env USER=app --env HOME=/tmp": "<nil>\nmkdir data: permission denied\n<nil>\n",
	} {
		if out := run(t, ".", os.Environ(), "docker run --rm --user 54321:54321 --cap-drop ALL "+env+" "+tag); out != want {
			t.Errorf("with %q it says %q, want %q", env, out, want)
		}
	}
}

func TestAModuleInASubfolderGivesTheSameImage(t *testing.T) {
	s := newService(t, "disk", `files = [ "templates" ];`)
	want := read(t, s.built(t, "image.id"))
	run(t, s.dir, os.Environ(), `mkdir sub && mv go.mod main.go templates sub/ && sed -i 's|self;|self + "/sub";|' flake.nix && git add --all`)
	if got := read(t, s.built(t, "image.id")); got != want {
		t.Errorf("got the image %s, want %s", got, want)
	}
}

func TestAStoreElsewhereGetsTheSameImage(t *testing.T) {
	s := newService(t, "disk", `files = [ "templates" "static" ];`)
	run(t, s.dir, os.Environ(), "echo >notes && echo notes >>.dockerignore && git add --all")
	want := s.nix(t, "nix eval --raw .#image.drvPath 2>/dev/null")
	store := filepath.Join(t.TempDir(), "store")
	if got := s.nix(t, "nix eval --raw --store "+store+" .#image.drvPath 2>/dev/null"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	run(t, ".", os.Environ(), "chmod -R u+w "+store)
}

func TestTheImageHasRootCertificatesAndTimeZonesUnlessTheyAreLeftOut(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler()) // Its certificate is for example.com.
	var err error
	if server.Listener, err = net.Listen("tcp4", ":0"); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	defer server.Close()
	s, base, dir := newService(t, "tls", ""), withModules(t), t.TempDir()
	const trusting, tag = "heroku-go-example-e2e:trusting", "heroku-go-example-e2e:tls"
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, os.Environ(), "printf 'FROM "+base+"\nCOPY ca.pem /\nRUN cat ca.pem >>/etc/ssl/certs/ca-certificates.crt\n' >Dockerfile && "+classic+" docker build --tag "+trusting+" .")
	for _, test := range []struct{ arg, inTokyo, answer string }{
		{"SYSTEM_FILES=yes", "JST", "404 Not Found\n"},
		{"SYSTEM_FILES=no", "UTC", "x509: certificate signed by unknown authority\n"},
	} {
		s.docker(t, classic, tag, "GO_IMAGE="+trusting, test.arg)
		_, address := startContainer(t, "--env TZ=Asia/Tokyo --add-host example.com:host-gateway "+tag)
		if got := get(t, http.DefaultClient, "http://"+address); !strings.Contains(got, test.inTokyo) {
			t.Errorf("%s: in Tokyo it answers %q, want %s", test.arg, got, test.inTokyo)
		}
		response, err := http.Get(fmt.Sprintf("http://%s/?url=https://example.com:%d", address, server.Listener.Addr().(*net.TCPAddr).Port))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || !strings.HasSuffix(string(body), test.answer) {
			t.Errorf("%s: got %v and %s, want %s", test.arg, err, body, test.answer)
		}
	}
	const roots = "golang.org/x/crypto/x509roots/fallback"
	for tag, want := range map[string]bool{"": false, `"roots"`: true} {
		s.setOptions(t, "systemFiles = false; tags = [ "+tag+" ];")
		if got := strings.Contains(read(t, s.built(t, "server")+"/bin/server"), roots); got != want {
			t.Errorf("with the tag %s it has the root certificates: %v, want %v", tag, got, want)
		}
	}
}

func TestACommandMayHaveSeveralWords(t *testing.T) {
	s := newService(t, "strict", `commands.web = [ "-greeting" "bonjour" ];`)
	const tag = "heroku-go-example-e2e:words"
	run(t, s.dir, os.Environ(), `sed -i 's|^ENTRYPOINT.*|ENTRYPOINT ["/server", "-greeting"]|; s|^CMD.*|CMD ["bonjour"]|' Dockerfile`)
	s.docker(t, classic, tag)
	run(t, s.dir, os.Environ(), "docker load <"+s.built(t, "image"))
	atEnd(t, func() { exec.Command("docker", "rmi", "strict").Run() })
	if got, want := config(t, "strict"), config(t, tag); got != want || want != "[/server -greeting] [bonjour] 10001:10001" {
		t.Errorf("Nix gives the image %s, Docker %s", got, want)
	}
	for _, image := range []string{"strict", tag} {
		_, address := startContainer(t, image)
		if got := get(t, http.DefaultClient, "http://"+address); got != "bonjour\n" {
			t.Errorf("the image %s answers %q", image, got)
		}
	}
	s.nix(t, "nix build --no-link .#checks.x86_64-linux.image-web")
}

func TestTheTemplatesFilesAreThisProjects(t *testing.T) {
	ours := func(name string) string { return read(t, "../"+name) }
	theirs := func(name string) string { return read(t, "../templates/existing/"+name) }
	differences := strings.NewReplacer(`CMD ["web"]`, `CMD ["--"]`, "SYSTEM_FILES=no", "SYSTEM_FILES=yes")
	if want := differences.Replace(ours("Dockerfile")); theirs("Dockerfile") != want {
		t.Error("Dockerfile differs in more than CMD and SYSTEM_FILES")
	}
	for _, name := range []string{"heroku.yml", ".gitattributes"} {
		if theirs(name) != ours(name) {
			t.Error(name + " differs")
		}
	}
	for _, name := range []string{".dockerignore", "templates/new/.dockerignore"} {
		if !strings.HasPrefix(ours(name), theirs(".dockerignore")) {
			t.Error(name + " does not begin with the template's")
		}
	}
	if block := regexp.MustCompile("(?s)```nix\n(.*?)```").FindStringSubmatch(ours("README.md")); theirs("flake.nix") != block[1] {
		t.Errorf("the README shows another flake.nix: %s", block[1])
	}
	if n := len(regexp.MustCompile(`(?m)^[^#\n]`).FindAllString(ours("Dockerfile"), -1)); n > 24 {
		t.Errorf("Dockerfile has %d lines of instructions, want 24 at most", n)
	}
}

func TestTheTemplateForAnExistingServiceOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, os.Environ(), "for file in Dockerfile Dockerfile.web; do echo FROM own >$file; done")
	out, err := try(t, dir, os.Environ(), "nix flake init --template git+file://"+checkout(t)+"#existing")
	if err == nil || !strings.Contains(out, "encountered 1 conflicts") || read(t, filepath.Join(dir, "Dockerfile")) != "FROM own\n" {
		t.Errorf("got %v and %s, want one conflict", err, out)
	}
	run(t, dir, os.Environ(), "test -f flake.nix -a -f heroku.yml -a -f .dockerignore")
}

func TestWhatTheTemplateForAnExistingServicePrintsCommitsNothingElse(t *testing.T) {
	origin := checkout(t)
	printed := run(t, origin, os.Environ(), "nix eval --raw --file templates existing.welcomeText")
	add, lock := regexp.MustCompile(`git add .*`).FindString(printed), regexp.MustCompile(`nix flake lock .*`).FindString(printed)
	for _, folder := range []string{".", "service"} {
		dir := t.TempDir()
		run(t, dir, os.Environ(), "git init --quiet && git config user.name You && git config user.email you@example.com && echo SECRET=1 >.env && mkdir -p "+folder)
		service := filepath.Join(dir, folder)
		run(t, service, os.Environ(), "nix flake init --template git+file://"+origin+"#existing && "+add)
		nix(t, service, os.Environ(), lock)
		if left := run(t, dir, os.Environ(), "git ls-files | wc -l && git status --porcelain"); left != "6\n?? .env\n" {
			t.Errorf("in %s: got %q, want 6 files and .env left", folder, left)
		}
	}
}

func TestDockersContextHasAllButTestsAndWhatCannotChangeTheExecutable(t *testing.T) {
	s := newService(t, "tls", "")
	run(t, s.dir, os.Environ(), `mkdir -p config internal/id_generator vendor/keys
		ln -s /nix/store result
		for file in result-server .env config/.env.production server.key main_test.go config/main_test.go vendor/keys/ca.pem internal/id_generator/id_x.go config/app.json; do echo >$file; done`)
	for _, builder := range []string{classic, buildKit} {
		out := run(t, s.dir, os.Environ(), "printf 'FROM "+goImage+"\nCOPY . /context\nRUN cd /context && find . ! -type d | sort | sed s/^/in:/\n' >Probe && "+builder+" docker build --no-cache --progress plain --file Probe . 2>&1 || "+
			builder+" docker build --no-cache --file Probe . 2>&1")
		for name, want := range map[string]bool{"result": false, "result-server": false, ".env": false, "config/.env.production": false, "main_test.go": false, "config/main_test.go": false, "flake.nix": false,
			"server.key": true, "vendor/keys/ca.pem": true, "internal/id_generator/id_x.go": true, "config/app.json": true} {
			if got := strings.Contains(out, "in:./"+name+"\n"); got != want {
				t.Errorf("%s: %s is in the context: %v, want %v:\n%s", builder, name, got, want, out)
			}
		}
	}
}

func TestProcessTypesArePushedByTheHerokuCLI(t *testing.T) {
	s, app := newService(t, "programs", ""), newApp(t, startHeroku(t), "pushed")
	for _, command := range []string{"heroku container:push web --arg MAIN=./cmd/web", "heroku container:push worker --arg MAIN=./cmd/worker"} {
		run(t, s.dir, app.env, command+",GO_IMAGE="+goImage)
	}
	run(t, s.dir, app.env, "sed 's|^ARG MAIN$|&=./cmd/worker|' Dockerfile >Dockerfile.worker && docker build --file Dockerfile.worker --build-arg GO_IMAGE="+goImage+" --tag heroku-go-example-e2e:worker .")
	if !strings.Contains(string(server(t, "heroku-go-example-e2e:worker")), "example.com/services/programs/cmd/worker") {
		t.Error("Dockerfile.worker does not build cmd/worker")
	}
	run(t, s.dir, app.env, "heroku container:release web worker && heroku ps:scale worker=1")
	app.waitForLog(`app\[worker\.1\]: .*working`)
	if n := strings.Count(app.heroku.Log("pushed"), "Release v"); n != 3 {
		t.Errorf("%d releases, want the two that every app begins with and one", n)
	}
	if got := get(t, app.heroku.Client(), app.heroku.URL("pushed")); !strings.Contains(got, "hello from web") {
		t.Errorf("web answers %q", got)
	}
}
