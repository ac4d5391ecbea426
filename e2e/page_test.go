package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// visit returns what page.mjs finds wrong with a page.
func visit(t *testing.T, url, sha256 string) string {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS") // To look at them.
	if folder == "" {
		folder = t.TempDir()
	}
	return run(t, ".", os.Environ(), fmt.Sprintf("node page.mjs %s %s %s", url, sha256, folder))
}

func TestThePageOfAReleasedDynoHasNothingThatAVisitorWouldComplainOf(t *testing.T) {
	h := startHeroku(t)
	app := newApp(t, h, "go-on-heroku")
	run(t, ".", app.env, "heroku labs:enable runtime-dyno-metadata")
	app.deploy(checkout(t))
	get(t, h.Client(), h.URL(app.name))
	sum := sha256.Sum256(server(t, app.repository))
	if findings := visit(t, h.URL(app.name), fmt.Sprintf("%x", sum)); findings != "" {
		t.Error(findings)
	}
}

func TestAVisitorComplainsOfABadPage(t *testing.T) {
	t.Setenv("SCREENSHOTS", t.TempDir())
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src *; script-src 'unsafe-inline'")
		fmt.Fprint(w, `<title>Bad</title><p style="color: red">red</p><img src="http://elsewhere.localhost:1/"><script src="/a.js"></script><p id="version" style="width: 2000px"><script>setTimeout(() => document.body.prepend(document.createElement("hr"), ...Array.from({length: 20}, () => document.createElement("br"))), 300)</script>`)
	}))
	defer bad.Close()
	findings := visit(t, bad.URL, "0123")
	for _, want := range []string{
		"dark-wide: asks for http://elsewhere.localhost:1/",
		"dark-wide: the console says Applying inline style violates",
		"dark-wide: does not show what is running",
		"dark-wide: jumps: layout shift ",
		"dark-wide: accessibility: image-alt: ",
		"without-script: has no link to /version",
	} {
		if !strings.Contains(findings, want) {
			t.Errorf("want %q in the findings: %s", want, findings)
		}
	}
}
