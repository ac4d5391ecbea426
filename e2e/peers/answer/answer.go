// Package answer is what every server of the comparison answers: the page and the headers that BenchmarkServers got from the
// server of this project and put into the file $ANSWER.
package answer

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"time"
)

// Security are the headers that most peers can set by themselves, or by a module made for it.
var Security = []string{"Content-Security-Policy", "Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options"}

// Page and Header are the answer, without the headers that depend on the request.
var (
	Page   []byte
	Header http.Header
)

func init() {
	answer, err := os.ReadFile(os.Getenv("ANSWER"))
	if err != nil {
		panic(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		panic(err)
	}
	Page, _ = io.ReadAll(response.Body)
	Header = response.Header
	for _, name := range []string{"Date", "X-Request-Id"} {
		Header.Del(name)
	}
}

// Rest returns Header without what a server's middleware sets.
func Rest(middleware ...string) http.Header {
	rest := maps.Clone(Header)
	for _, name := range middleware {
		rest.Del(name)
	}
	return rest
}

// Handler answers with the page and these headers.
func Handler(header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), header)
		w.Write(Page)
	}
}

// Serve serves on $PORT, with the timeouts that every server needs that others can reach.
func Serve(handler http.Handler) {
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 120 * time.Second}
	panic(server.ListenAndServe())
}
