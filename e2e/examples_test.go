package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

const databaseHash = `vendorHash = "sha256-vemDocp284FDQEOj5ttjieRmnJy6E0oOXzB6jOj+FOY=";`

// databasePassword is what no program may print.
const databasePassword = "s3cret"

// startPostgres starts a database which, as Heroku's, takes TLS alone, with a certificate that nobody vouches for. It returns what
// DATABASE_URL would be, for containers and for this machine.
func startPostgres(t *testing.T) (url string) {
	t.Helper()
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(programs) == 0 {
		t.Fatal("there is no Postgres: run sh e2e/setup")
	}
	dir := t.TempDir()
	host := strings.TrimSpace(run(t, ".", os.Environ(), "docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}'"))
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	// Postgres refuses to run as root. Debian has a user for it, who can read Debian's self-signed certificate.
	run(t, dir, os.Environ(), "chmod 711 .. && chown postgres . && echo "+databasePassword+" >password && chmod 644 password")
	postgres := "cd " + dir + " && PATH=" + filepath.Dir(programs[len(programs)-1]) + ":$PATH runuser --user postgres -- "
	atEnd(t, func() { exec.Command("sh", "-c", postgres+"pg_ctl stop --mode immediate --pgdata data").Run() })
	run(t, dir, os.Environ(), postgres+"initdb --pgdata data --username app --pwfile password --auth scram-sha-256 --no-sync")
	run(t, dir, os.Environ(), "echo 'hostssl all all all scram-sha-256' >data/pg_hba.conf")
	run(t, dir, os.Environ(), postgres+fmt.Sprintf("pg_ctl start --wait --pgdata data --log log --options '-h %s -p %d -c unix_socket_directories= "+
		"--ssl=on --ssl_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem --ssl_key_file=/etc/ssl/private/ssl-cert-snakeoil.key'", host, address.Port))
	return fmt.Sprintf("postgres://app:%s@%s/postgres", databasePassword, address)
}

// addDatabase answers `heroku addons:create`, which sets DATABASE_URL.
func addDatabase(url string) func(http.Handler) http.Handler {
	return func(heroku http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app, ok := strings.CutSuffix(r.URL.Path, "/addons")
			if r.Method != "POST" || !ok {
				heroku.ServeHTTP(w, r)
				return
			}
			set := httptest.NewRequest("PATCH", "https://"+r.Host+app+"/config-vars", strings.NewReader(fmt.Sprintf(`{"DATABASE_URL": %q}`, url)))
			set.Header = r.Header
			heroku.ServeHTTP(httptest.NewRecorder(), set)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"name": "postgresql-fern-12345", "state": "provisioned", "config_vars": ["DATABASE_URL"], "addon_service": {"name": "heroku-postgresql"}}`)
		})
	}
}

// goBuilds builds as the README says for Go alone, and returns the executable's path.
func (s *service) goBuilds(t *testing.T) string {
	t.Helper()
	run(t, s.dir, append(s.env, "GOPROXY=file://"+tool(t, "modules")), goSettings+goBuild)
	return filepath.Join(s.dir, "result-server")
}

// newExample is newService with the options that docs/examples.md says.
func newExample(t *testing.T, name string) *service {
	t.Helper()
	options := ""
	if name == "database" {
		block := regexp.MustCompile("(?s)```nix\n.*src = self;\n(.*)}\n```").FindStringSubmatch(read(t, "../docs/examples.md"))
		options = strings.Replace(block[1], `vendorHash = "";`, databaseHash, 1)
	}
	return newService(t, name, options)
}

// says runs a command and looks for the text in what it prints.
func (s *service) says(t *testing.T, command, text string) {
	t.Helper()
	if strings.HasPrefix(command, "nix ") {
		command = withDouble(t, s.dir, command)
	}
	if out := run(t, s.dir, s.env, command); !strings.Contains(out, text) {
		t.Errorf("%s prints %s, want %q in it", command, out, text)
	}
}

func TestTheExampleWithADatabaseMigratesServesAndKeepsWhatIsWritten(t *testing.T) {
	s, database := newExample(t, "database"), startPostgres(t)
	run(t, s.dir, s.env, `sed -i '$s/.*/CMD ["serve"]/' Dockerfile`)
	tag := s.isTheSameByNixAndDocker(t, shape{name: "database"})
	if read(t, s.goBuilds(t)) != string(server(t, tag)) {
		t.Error("go build and Docker give different executables")
	}

	h := &herokutest.Heroku{Wrap: addDatabase(database)}
	certificate, _ := runTasks(t, h, "--env", "PGSSLMODE=require", "--env", "DATABASE_URL="+database, tag)
	start(t, h)
	run(t, ".", os.Environ(), "cat "+h.CAFile()+" >>"+certificate)
	s.env = append(append(s.env, h.Env()...), "NO_COLOR=1", "HEROKU_API_KEY="+h.Token(), "NODE_EXTRA_CA_CERTS="+certificate)
	s.says(t, "heroku create --stack container my-notes", "my-notes")
	s.says(t, "heroku addons:create heroku-postgresql:essential-0 --wait", "DATABASE_URL")
	s.says(t, "heroku config:set PGSSLMODE=require", "PGSSLMODE")
	s.says(t, "nix run .#deploy -- my-notes", "Release: v")
	app := &testApp{T: t, heroku: h, name: "my-notes"}
	notes := h.URL("my-notes") + "notes"
	response, err := h.Client().Get(notes)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 500 {
		t.Errorf("before the first migration: got %s, want 500", response.Status)
	}
	app.waitForLog(`app\[web\.1\]: .*relation "notes" does not exist`)

	s.says(t, "heroku run migrate", "migrated: 2 of 2 migrations were new")
	s.says(t, "heroku run migrate", "migrated: 0 of 2 migrations were new")
	here := strings.NewReplacer("https://my-notes-0123456789ab.herokuapp.com/notes", notes)
	s.says(t, here.Replace("curl --data text=Hello https://my-notes-0123456789ab.herokuapp.com/notes"), `"text":"Hello"`)
	s.says(t, here.Replace("curl https://my-notes-0123456789ab.herokuapp.com/notes"), `"text":"Hello"`)
	s.says(t, "heroku ps:restart", "Restarting")
	app.waitForLog(`heroku\[web\.1\]: Process exited with status 0\n`) // It has stopped by itself.
	app.waitForLog(`(?s)(State changed from starting to up.*){2}`)
	s.says(t, "curl "+notes, `"text":"Hello"`)
	if log := h.Log("my-notes"); strings.Contains(log, databasePassword) {
		t.Errorf("the log has the password: %s", log)
	}

	_, address := startContainer(t, "--env DATABASE_URL="+database+" "+tag) // The image that Docker has built.
	s.says(t, "curl http://"+address+"/notes", `"text":"Hello"`)
}

func TestOfTheExamplesMigrationsThatRunAtOnceOneMigrates(t *testing.T) {
	program := newExample(t, "database").goBuilds(t)
	var outputs [8]bytes.Buffer
	var commands [8]*exec.Cmd
	database := startPostgres(t)
	for i := range commands {
		commands[i] = exec.CommandContext(t.Context(), program, "migrate")
		commands[i].Env = []string{"DATABASE_URL=" + database}
		commands[i].Stderr = &outputs[i]
		if err := commands[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	migrated := 0
	for i, command := range commands {
		if err := command.Wait(); err != nil {
			t.Errorf("%v: %s", err, &outputs[i])
		}
		if strings.Contains(outputs[i].String(), "2 of 2") {
			migrated++
		}
	}
	if migrated != 1 {
		t.Errorf("%d have migrated, want one", migrated)
	}
}

func TestAWrongDatabaseEndsTheExampleAtOnceWithOneLine(t *testing.T) {
	program, database := newExample(t, "database").goBuilds(t), startPostgres(t)
	replace := func(from, to string) string { return strings.Replace(database, from, to, 1) }
	for url, want := range map[string]string{
		"":                            "want a Postgres database, like postgres://user:password@host/name",
		replace("postgres:", "http:"): "want a Postgres database",
		replace("@", "%zz@"):          "want a Postgres database",
		"password = '" + databasePassword + "' port=none":                           "want a Postgres database",
		regexp.MustCompile(`@[^:]+`).ReplaceAllString(database, "@nowhere.invalid"): "lookup nowhere.invalid",
		replace(":"+databasePassword, ":wrong"):                                     "password authentication failed",
		replace("/postgres", "/none"):                                               `database "none" does not exist`,
		regexp.MustCompile(`:\d+/`).ReplaceAllString(database, ":1/"):               "connection refused",
		database + "?sslmode=disable":                                               "no encryption",
	} {
		for _, word := range []string{"serve", "migrate"} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			command := exec.CommandContext(ctx, program, word)
			command.Env = []string{"DATABASE_URL=" + url, "DYNO=run.1", "PORT=0"}
			var stderr strings.Builder
			command.Stderr = &stderr
			stdout, _ := command.Output()
			line := stderr.String()
			if command.ProcessState.ExitCode() != 1 || !strings.HasPrefix(line, "server: DATABASE_URL: ") || !strings.Contains(line, want) || strings.Count(line, "\n") != 1 ||
				strings.Contains(line, databasePassword) || string(stdout) != "\uFFFF heroku-command-exit-status: 1\n" {
				t.Errorf("%s with %q: got the exit code %d, %q and %q, want 1 and one line with %q", word, url, command.ProcessState.ExitCode(), line, stdout, want)
			}
		}
	}
}

func TestTheExampleWithAFrontendIsBuiltAgainAndShowsWhatTheServerAnswers(t *testing.T) {
	s := newExample(t, "frontend")
	s.env = append(s.env, "npm_config_cache="+tool(t, "npm/cache"), "npm_config_offline=true")
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(read(t, "../docs/examples.md"))
	if !strings.Contains(read(t, "services/frontend/main.go"), block[1]) {
		t.Errorf("docs/examples.md shows other code than the service has: %s", block[1])
	}
	run(t, s.dir, s.env, "rm -r frontend/dist")
	s.says(t, "npm --prefix frontend ci", "added")
	s.says(t, "npm --prefix frontend run build", "main.js")
	s.says(t, "echo frontend/node_modules >>.dockerignore", "")
	s.says(t, "git add --force frontend/dist", "")
	committed, err := filepath.Abs("services/frontend/frontend/dist")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.dir, s.env, "diff -r frontend/dist "+committed)
	tag := s.isTheSameByNixAndDocker(t, shape{name: "frontend"})
	if read(t, s.goBuilds(t)) != string(server(t, tag)) {
		t.Error("go build and Docker give different executables")
	}

	h := startHeroku(t)
	s.env = append(append(s.env, h.Env()...), "NO_COLOR=1", "HEROKU_API_KEY="+h.Token())
	s.says(t, "heroku create --stack container my-pages", "my-pages")
	s.says(t, "nix run .#deploy -- my-pages", "Release: v")
	_, address := startContainer(t, tag) // The image that Docker has built.
	for url, client := range map[string]*http.Client{h.URL("my-pages"): h.Client(), "http://" + address + "/": http.DefaultClient} {
		page := run(t, ".", os.Environ(), "chromium --headless --no-sandbox --virtual-time-budget=5000 --user-data-dir="+t.TempDir()+" --dump-dom "+url+" 2>/dev/null")
		if !regexp.MustCompile(`<p id="visits">1 since \d`).MatchString(page) {
			t.Errorf("the page shows %s", page)
		}
		for _, name := range []string{"", "main.js", "main.css"} {
			isKeptButAskedFor(t, client, url+name)
		}
	}
}

// isKeptButAskedFor sees that a browser which has the file is told so, and one which has another gets it.
func isKeptButAskedFor(t *testing.T, client *http.Client, url string) {
	t.Helper()
	tag := ""
	for _, test := range []struct {
		has  func() string
		want int
	}{
		{func() string { return "" }, 200},
		{func() string { return tag }, 304},
		{func() string { return `"another"` }, 200},
	} {
		request, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("If-None-Match", test.has())
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		tag = response.Header.Get("ETag")
		if response.StatusCode != test.want || tag == "" || response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s with If-None-Match: %s: got %s and %v, want %d, an ETag and no-cache", url, test.has(), response.Status, response.Header, test.want)
		}
	}
}
