// Package heroku is what a dyno gives a process: its environment and its memory. But for the exit code of a task, in package
// main, no other part of the server knows Heroku's names.
package heroku

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
)

// A Dyno is the place this process runs in. On a laptop, Port is the only field that is set.
type Dyno struct {
	// Port is the TCP port to serve, 8080 where PORT is unset. 0 lets the system choose a free one.
	Port uint16 `json:"-"`
	// MetricsURL takes the Go runtime's metrics. It is empty until `heroku labs:enable runtime-heroku-metrics` and
	// `heroku labs:enable go-language-metrics` (https://devcenter.heroku.com/articles/language-runtime-metrics-go).
	MetricsURL string `json:"-"`
	// Name is the dyno's name, like "web.1".
	Name string `json:"dyno,omitempty"`

	// The fields below are empty until `heroku labs:enable runtime-dyno-metadata`
	// (https://devcenter.heroku.com/articles/dyno-metadata).

	// App is the app's name.
	App string `json:"app,omitempty"`
	// Release is the release's version, like "v7".
	Release string `json:"release,omitempty"`
	// ReleasedAt is the release's time in RFC 3339.
	ReleasedAt string `json:"released_at,omitempty"`
	// Commit is the hash of the git commit that Heroku built.
	Commit string `json:"commit,omitempty"`
}

// Routed says whether a request has come by Heroku's router, which ends the header Via with "1.1 heroku-router" or, the older one,
// "1.1 vegur" (https://devcenter.heroku.com/articles/http-routing). DYNO is no proof of Heroku: Dokku sets it, too.
func Routed(r *http.Request) bool {
	via := strings.Join(r.Header.Values("Via"), ", ")
	return strings.HasSuffix(via, " heroku-router") || strings.HasSuffix(via, " vegur")
}

// LimitMemory makes the Go runtime keep to nine tenths of the dyno's memory, unless the environment has GOMEMLIMIT. Where there
// is a limit, it sets GOGC to 400, unless the environment has that. sys is /sys/fs/cgroup.
func LimitMemory(sys fs.FS, getenv func(string) string) {
	if limit := memory(sys); limit > 0 && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9) // The rest is for what the Go runtime does not count.
	}
	if debug.SetMemoryLimit(-1) < math.MaxInt64 && getenv("GOGC") == "" {
		// By GOGC alone the heap could grow to five times what is in use. Near the limit the runtime collects garbage whatever
		// GOGC says (https://go.dev/doc/gc-guide#Memory_limit). So 400 takes only memory that is free, and it saves CPU time.
		debug.SetGCPercent(400)
	}
}

// memory returns how many bytes of memory there are, or 0 where nothing limits them: there is no file, or it holds "max" or
// nearly 1<<63. Heroku mounts only the first of these files, which is cgroup v1's; other systems have v2's.
func memory(sys fs.FS) int64 {
	for _, file := range []string{"memory/memory.limit_in_bytes", "memory.max"} {
		content, _ := fs.ReadFile(sys, file) // What cannot be read is empty, which is no number.
		limit, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
		if err == nil && limit < 1<<50 {
			return limit
		}
	}
	return 0
}

// FromEnv reads the dyno from the environment. The error says that PORT must be a number from 0 to 65535.
func FromEnv(getenv func(string) string) (Dyno, error) {
	port, err := strconv.ParseUint(cmp.Or(getenv("PORT"), "8080"), 10, 16) // Outside of Heroku nobody sets it.
	if err != nil {
		return Dyno{}, fmt.Errorf("PORT=%q: want a number from 0 to 65535", getenv("PORT"))
	}
	return Dyno{
		Port:       uint16(port),
		Name:       getenv("DYNO"),
		MetricsURL: getenv("HEROKU_METRICS_URL"),
		App:        getenv("HEROKU_APP_NAME"),
		Release:    getenv("HEROKU_RELEASE_VERSION"),
		ReleasedAt: getenv("HEROKU_RELEASE_CREATED_AT"),
		// The second name is the older one; Heroku sets either or both.
		Commit: cmp.Or(getenv("HEROKU_BUILD_COMMIT"), getenv("HEROKU_SLUG_COMMIT")),
	}, nil
}
