package herokutest

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// routed sets up a router in front of one app whose dynos have the states.
func routed(states ...string) (*Heroku, *app) {
	h := &Heroku{router: newRouterTransport()}
	h.changed = sync.NewCond(&h.mu)
	a := &app{name: "fern"}
	for _, state := range states {
		a.dynos = append(a.dynos, &dyno{name: "web.1", processType: "web", state: state})
	}
	h.apps = map[string]*app{"fern": a}
	return h, a
}

func ask(h *Heroku, header http.Header) *http.Response {
	request := httptest.NewRequest("GET", "http://fern.localhost:5000/path?query", nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	h.route(recorder, request)
	return recorder.Result()
}

func TestTheRouterAddsItsHeaders(t *testing.T) {
	h, a := routed("up")
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
	defer server.Close()
	a.dynos[0].address = strings.TrimPrefix(server.URL, "http://")

	const id = "0123456789abcdefghij"
	ask(h, http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Request-Id": {id}})
	for name, want := range map[string]string{
		"X-Forwarded-For":   `^198\.51\.100\.7, 192\.0\.2\.1$`, // httptest's client on the right
		"X-Forwarded-Proto": `^https$`,
		"X-Forwarded-Port":  `^443$`,
		"X-Request-Start":   `^\d{13}$`,
		"X-Request-Id":      `^` + id + `$`,
		"Via":               `^1\.1 heroku-router$`,
	} {
		if value := got.Header.Get(name); !regexp.MustCompile(want).MatchString(value) {
			t.Errorf("%s: got %q, want %s", name, value, want)
		}
	}
	if got.Host != "fern.localhost:5000" || got.RequestURI != "/path?query" {
		t.Errorf("got %s %s, want what the client asked for", got.Host, got.RequestURI)
	}
	ask(h, http.Header{"X-Request-Id": {"short"}})
	if value := got.Header.Get("X-Request-Id"); len(value) < 20 {
		t.Errorf("got the request id %q, want a new one for one that is too short", value)
	}
}

func TestTheRouterHoldsARequestWhileADynoStarts(t *testing.T) {
	h, a := routed("starting")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	answers := make(chan *http.Response)
	go func() { answers <- ask(h, nil) }()
	select {
	case answer := <-answers:
		t.Fatalf("got %s before the dyno is up", answer.Status)
	case <-time.After(100 * time.Millisecond):
	}
	a.dynos[0].address = strings.TrimPrefix(server.URL, "http://")
	h.setState(a, a.dynos[0], "up")
	if answer := <-answers; answer.StatusCode != http.StatusTeapot {
		t.Errorf("got %s, want the dyno's answer", answer.Status)
	}
}

func TestTheRouterGoesOnForAWhileWithADynoThatWasToldToStop(t *testing.T) {
	h, a := routed("up")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	d := a.dynos[0]
	d.address, d.stopping = strings.TrimPrefix(server.URL, "http://"), make(chan bool)
	a.dynos = nil
	h.stop(a, d)
	if answer := ask(h, nil); answer.StatusCode != http.StatusTeapot {
		t.Errorf("got %s, want the dyno's answer", answer.Status)
	}
	d.since = time.Now().Add(-2 * routedFor)
	if answer := ask(h, nil); answer.StatusCode != 503 || !strings.Contains(h.Log("fern"), "code=H14") {
		t.Errorf("later: got %s, want 503", answer.Status)
	}
}

func TestTheRoutersOwnErrorsAre503WithACode(t *testing.T) {
	for want, states := range map[string][]string{"H10": {"crashed", "crashed"}, "H14": {}, "H21": {"up"}} {
		h, a := routed(states...)
		for _, d := range a.dynos {
			d.address = "127.0.0.1:1" // nobody listens
		}
		if answer := ask(h, nil); answer.StatusCode != 503 || !strings.Contains(h.Log("fern"), "at=error code="+want) {
			t.Errorf("dynos %v: got %s, log %s, want 503 and %s", states, answer.Status, h.Log("fern"), want)
		}
	}
	h, _ := routed()
	delete(h.apps, "fern")
	if answer := ask(h, nil); answer.StatusCode != 404 {
		t.Errorf("no such app: got %s, want 404", answer.Status)
	}
}
