package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"heroku-go-example/e2e/herokutest"
)

// runTasks has the local Heroku, which is not started yet, take `heroku run`: the CLI gets the output of a container of the image, which may
// have options before it, with the command as its one argument. Of the exit code it says nothing. It returns a file with the certificate
// that the CLI must trust, and the types of the dynos that it has asked for.
func runTasks(t *testing.T, h *herokutest.Heroku, image ...string) (certificate string, types *[]string) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	certificate = filepath.Join(t.TempDir(), "dyno.pem")
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: server.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, func() { listener.Close() })
	command := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadString('\n')
			fmt.Fprint(conn, "rendezvous\r\n")
			args := append([]string{"run", "--rm", "--env", "DYNO=run.1"}, image...)
			out, _ := exec.Command("docker", append(args, <-command)...).CombinedOutput()
			time.Sleep(100 * time.Millisecond) // The CLI drops what comes together with the first line.
			conn.Write(out)
			conn.Close()
		}
	}()
	types = new([]string)
	next := h.Wrap
	h.Wrap = func(heroku http.Handler) http.Handler {
		if next != nil {
			heroku = next(heroku)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "POST" || !regexp.MustCompile("^/apps/[^/]+/dynos$").MatchString(r.URL.Path) {
				heroku.ServeHTTP(w, r)
				return
			}
			var dyno struct{ Command, Type string }
			json.NewDecoder(r.Body).Decode(&dyno)
			command <- dyno.Command
			*types = append(*types, dyno.Type)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"name": "run.1", "attach_url": "rendezvous://%s/secret"}`, listener.Addr())
		})
	}
	return certificate, types
}

func TestATaskEndsWithItsExitCode(t *testing.T) {
	const tag = "heroku-go-example-e2e:task"
	build(t, checkout(t), classic, tag, "")
	h := new(herokutest.Heroku)
	certificate, types := runTasks(t, h, tag)
	start(t, h)
	app := newApp(t, h, "tasks")
	run(t, ".", os.Environ(), "cat "+h.CAFile()+" >>"+certificate)
	app.env = append(app.env, "NODE_EXTRA_CA_CERTS="+certificate)
	for _, test := range []struct {
		command string
		code    int
		want    string
	}{
		{"heroku run version", 0, `"sha256": "`},
		{"heroku run --type migrate version", 0, `"sha256": "`},
		{"heroku run nonsense", 2, `server: unknown command ["nonsense"]`},
		{"heroku run healthcheck", 1, "server: healthcheck: "},
		{"heroku run --exit-code version", 2, `server: unknown command ["version ; echo `},
	} {
		out, err := try(t, ".", app.env, test.command)
		code := 0
		if err != nil {
			code = err.(*exec.ExitError).ExitCode()
		}
		if code != test.code || !strings.Contains(out, test.want) || strings.Contains(out, "TypeError") {
			t.Errorf("%s: got the exit code %d and %s, want %d and %s", test.command, code, out, test.code, test.want)
		}
	}
	if want := []string{"", "migrate", "", "", ""}; !slices.Equal(*types, want) {
		t.Errorf("the CLI asks for dynos of the types %q, want %q", *types, want)
	}
}
