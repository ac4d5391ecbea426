package herokutest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Browsers would not trust a certificate that is made here. So the router takes plain HTTP, and tells the dynos that TLS
// ends here all the same.

// newRouterTransport gives a dyno 5 s to take a connection, keeps that for 90 s, and waits 30 s for the first byte of an
// answer.
func newRouterTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   100,
		DisableCompression:    true,
	}
}

// routerRequestID is what the router takes over of a client's X-Request-Id.
var routerRequestID = regexp.MustCompile(`^[A-Za-z0-9+/=-]{20,200}$`)

// route hands a request to one of the app's web dynos. It holds the request while they start.
func (h *Heroku) route(w http.ResponseWriter, r *http.Request) { h.routeBeside(nil, w, r) }

// routeBeside does not try the dynos that have refused the connection.
func (h *Heroku) routeBeside(refused []*dyno, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	name, _, _ := strings.Cut(r.Host, ".")
	h.mu.Lock()
	a, ok := h.apps[name]
	var d *dyno
	var code string
	if ok {
		d, code = h.choose(r.Context(), a, refused)
	}
	h.mu.Unlock()
	if !ok {
		http.Error(w, "No such app", http.StatusNotFound)
		return
	}

	id := r.Header.Get("X-Request-Id")
	if !routerRequestID.MatchString(id) {
		id = rand.Text()
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	dynoName := ""
	log := func(level, code string, status int, size int64) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.logf(a, "heroku[router]", "at=%s%s method=%s path=%q host=%s request_id=%s fwd=%q dyno=%s service=%dms status=%d bytes=%d",
			level, code, r.Method, r.URL.RequestURI(), r.Host, id, client, dynoName, time.Since(start).Milliseconds(), status, size)
	}
	fail := func(code string) {
		log("error", fmt.Sprintf(" code=%s desc=%q", code, routerErrors[code]), http.StatusServiceUnavailable, 0)
		http.Error(w, "Application error: "+code+" "+routerErrors[code], http.StatusServiceUnavailable)
	}
	if d == nil {
		fail(code)
		return
	}
	dynoName = d.name
	proxy := &httputil.ReverseProxy{
		Transport: h.router,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", d.address, p.In.Host
			if p.In.ContentLength == 0 {
				// Go's client sends a request without a body again when the connection breaks. The router does not.
				p.Out.Body = io.NopCloser(strings.NewReader(""))
			}
			header := p.Out.Header
			header.Set("X-Forwarded-For", strings.Join(append(p.In.Header["X-Forwarded-For"], client), ", ")) // the client on the right
			header.Set("X-Forwarded-Proto", "https")
			header.Set("X-Forwarded-Port", "443")
			header.Set("X-Request-Start", strconv.FormatInt(start.UnixMilli(), 10))
			header.Set("X-Request-Id", id)
			header.Set("Via", "1.1 heroku-router")
		},
		ModifyResponse: func(response *http.Response) error {
			response.Header.Set("Via", "1.1 heroku-router")
			log("info", "", response.StatusCode, response.ContentLength)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			timeout, ok := err.(net.Error)
			dial := new(net.OpError)
			switch {
			case r.Context().Err() != nil:
				fail("H27")
			case errors.As(err, &dial) && dial.Op == "dial":
				h.routeBeside(append(refused, d), w, r)
			case ok && timeout.Timeout():
				fail("H12")
			default:
				fail("H13")
			}
		},
	}
	proxy.ServeHTTP(w, r)
}

var routerErrors = map[string]string{
	"H10": "App crashed",
	"H12": "Request timeout",
	"H13": "Connection closed without response",
	"H14": "No web dynos running",
	"H21": "Backend connection refused",
	"H27": "Client Request Interrupted",
}

// routedFor is how long the router goes on with a dyno that was told to stop. It hears of that a little later.
const routedFor = time.Second

// choose returns a random web dyno that is up and has not refused the request, or the code of the error to answer with.
// While there is none but one starts, it waits: a start ends by itself, by R10 if by nothing else. The caller holds h.mu.
func (h *Heroku) choose(ctx context.Context, a *app, refused []*dyno) (*dyno, string) {
	stop := context.AfterFunc(ctx, h.wake)
	defer stop()
	for {
		var up, starting, crashed []*dyno
		a.leaving = slices.DeleteFunc(a.leaving, func(d *dyno) bool { return time.Since(d.since) > routedFor })
		for _, d := range slices.Concat(a.dynos, a.leaving) {
			switch {
			case d.processType != "web":
			case slices.Contains(refused, d):
			case d.state == "up" || d.state == "down":
				up = append(up, d)
			case d.state == "starting":
				starting = append(starting, d)
			case d.state == "crashed":
				crashed = append(crashed, d)
			}
		}
		switch {
		case len(up) > 0:
			return up[randv2.IntN(len(up))], ""
		case ctx.Err() != nil:
			return nil, "H27"
		case len(starting) > 0:
			h.changed.Wait()
		case len(refused) > 0:
			return nil, "H21"
		case len(crashed) > 0:
			return nil, "H10"
		default:
			return nil, "H14"
		}
	}
}
