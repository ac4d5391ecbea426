package herokutest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const user = "you@example.com"

type object = map[string]any

// An app is guarded by Heroku.mu.
type app struct {
	id, name, stack string
	created         time.Time
	features        map[string]bool      // what labs:enable has enabled
	formation       map[string]processes // by process type
	releases        []*release           // the last one is current
	dynos           []*dyno
	leaving         []*dyno // were told to stop when they were up
	log             []string
}

type processes struct {
	quantity int
	size     string
}

// A release is what runs: images and configuration. It never changes.
type release struct {
	id, description string
	version         int
	created         time.Time
	images          map[string]*image // by process type
	config          map[string]string
}

func (a *app) current() *release { return a.releases[len(a.releases)-1] }

// release makes a new release out of the current one and restarts the dynos with it.
func (h *Heroku) release(a *app, description string, change func(*release)) *release {
	next := &release{images: map[string]*image{}, config: map[string]string{}}
	if len(a.releases) > 0 {
		last := a.current()
		next.version, next.images, next.config = last.version, maps.Clone(last.images), maps.Clone(last.config)
	}
	next.id, next.created, next.description = rand.Text(), time.Now().UTC(), description
	next.version++
	change(next)
	a.releases = append(a.releases, next)
	h.logf(a, "app[api]", "Release v%d created by user %s", next.version, user)
	h.restart(a, nil)
	return next
}

// restart is `heroku ps:restart`: all dynos are replaced by new ones of the same release.
func (h *Heroku) restart(a *app, _ *http.Request) (any, error) {
	old := a.dynos
	a.dynos = nil
	h.stop(a, old...)
	h.scale(a)
	return object{}, nil
}

// apiError is answered in the form that the Platform API gives its errors.
type apiError struct {
	status      int
	id, message string
}

func (e *apiError) Error() string { return e.message }

func invalid(format string, args ...any) error {
	return &apiError{http.StatusUnprocessableEntity, "invalid_params", fmt.Sprintf(format, args...)}
}

// api is everything that listens on port 443, by host and path.
func (h *Heroku) api() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("registry."+Host+"/", h.registry)

	// handle serves a call of the Platform API that needs a login, holding h.mu.
	handle := func(pattern string, handler func(r *http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" api."+Host+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+h.token {
				answer(w, nil, &apiError{http.StatusUnauthorized, "unauthorized", "Invalid credentials provided."})
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
			if err != nil {
				answer(w, nil, invalid("%v", err))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			result, err := func() (any, error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				return handler(r)
			}()
			answer(w, result, err)
		})
	}
	handleApp := func(pattern string, handler func(a *app, r *http.Request) (any, error)) {
		handle(pattern, func(r *http.Request) (any, error) {
			a, ok := h.apps[r.PathValue("app")]
			if !ok {
				return nil, &apiError{http.StatusNotFound, "not_found", "Couldn't find that app."}
			}
			return handler(a, r)
		})
	}
	account := object{"id": "user", "email": user}
	handle("GET /account", func(*http.Request) (any, error) { return account, nil })
	handle("POST /oauth/authorizations", func(*http.Request) (any, error) {
		return object{"id": "authorization", "access_token": object{"token": h.token}}, nil
	})
	handle("GET /oauth/authorizations", func(*http.Request) (any, error) { return []object{}, nil }) // auth:token asks when the token expires.
	handle("POST /apps", h.createApp)
	handleApp("GET /apps/{app}", func(a *app, _ *http.Request) (any, error) { return h.showApp(a), nil })
	handleApp("GET /apps/{app}/dynos", showDynos)
	handleApp("DELETE /apps/{app}/dynos", h.restart)
	handleApp("GET /apps/{app}/formation", showFormation)
	handleApp("PATCH /apps/{app}/formation", h.patchFormation)
	handleApp("GET /apps/{app}/releases", showReleases)
	handleApp("GET /apps/{app}/releases/{version}", showRelease)
	handleApp("POST /apps/{app}/releases", h.rollback)
	handleApp("PATCH /apps/{app}/config-vars", h.setConfig)
	handleApp("GET /apps/{app}/features/{feature}", enableFeature)
	handleApp("PATCH /apps/{app}/features/{feature}", enableFeature)
	handleApp("POST /apps/{app}/log-sessions", h.createLogSession)
	mux.HandleFunc("GET api."+Host+"/logs/{app}", h.streamLog) // The URL is the secret, as on Heroku.
	mux.HandleFunc("api."+Host+"/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, &apiError{http.StatusNotFound, "not_found", "herokutest does not know " + r.Method + " " + r.URL.Path})
	})
	h.handleLogin(mux)
	mux.HandleFunc("particleboard."+Host+"/account", func(w http.ResponseWriter, _ *http.Request) { answer(w, account, nil) })
	return mux
}

func answer(w http.ResponseWriter, result any, err error) {
	status := http.StatusOK
	if err != nil {
		failure := &apiError{http.StatusInternalServerError, "internal", err.Error()}
		errors.As(err, &failure)
		status, result = failure.status, object{"id": failure.id, "message": failure.message}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(result)
}

// handleLogin is `heroku login`: the CLI opens a page in the browser and waits until the user has logged in there.
func (h *Heroku) handleLogin(mux *http.ServeMux) {
	host := "cli-auth." + Host
	id, secret, loggedIn := rand.Text(), rand.Text(), make(chan bool, 1)
	mux.HandleFunc("POST "+host+"/auth", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, object{"browser_url": "/login/" + id, "cli_url": "/wait/" + id, "token": secret}, nil)
	})
	mux.HandleFunc("GET "+host+"/login/"+id, func(w http.ResponseWriter, _ *http.Request) {
		select {
		case loggedIn <- true:
		default:
		}
		fmt.Fprintln(w, "Logged in.")
	})
	mux.HandleFunc("GET "+host+"/wait/"+id, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			answer(w, nil, &apiError{http.StatusUnauthorized, "unauthorized", "Invalid credentials provided."})
			return
		}
		select {
		case <-loggedIn:
			answer(w, object{"access_token": h.token}, nil)
		case <-r.Context().Done():
		}
	})
}

func (h *Heroku) createApp(r *http.Request) (any, error) {
	var want struct{ Name, Stack string }
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, invalid("%v", err)
	}
	if want.Name == "" {
		want.Name = "fern-" + strings.ToLower(rand.Text()[:8])
	}
	if want.Stack == "" {
		want.Stack = "heroku-24"
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{1,28}[a-z0-9]$`).MatchString(want.Name) || h.apps[want.Name] != nil {
		return nil, invalid("Name %s is invalid or taken", want.Name)
	}
	a := &app{id: rand.Text(), name: want.Name, stack: want.Stack, created: time.Now().UTC(), features: map[string]bool{}, formation: map[string]processes{}}
	h.apps[a.name] = a
	h.release(a, "Initial release", func(*release) {})
	h.release(a, "Enable Logplex", func(*release) {})
	return h.showApp(a), nil
}

func (h *Heroku) showApp(a *app) object {
	stack := object{"name": a.stack}
	return object{"id": a.id, "name": a.name, "stack": stack, "build_stack": stack, "web_url": h.URL(a.name),
		"created_at": a.created, "generation": object{"name": "cedar"}, "process_tier": "basic"}
}

func showDynos(a *app, _ *http.Request) (any, error) {
	dynos := []object{}
	for _, d := range a.dynos {
		dynos = append(dynos, object{"name": d.name, "type": d.processType, "command": d.command(), "size": a.formation[d.processType].size,
			"state": d.state, "updated_at": d.since})
	}
	return dynos, nil
}

// showFormation names the images where the header Accept asks for the variant docker-releases. terraform-provider-herokux reads
// docker_image.id of the answer to a PATCH with that header. That a GET is answered likewise cannot be proven here.
func showFormation(a *app, r *http.Request) (any, error) {
	formation := []object{}
	for _, processType := range slices.Sorted(maps.Keys(a.formation)) {
		p := a.formation[processType]
		shown := object{"type": processType, "quantity": p.quantity, "size": p.size}
		if image := a.current().images[processType]; image != nil && strings.HasSuffix(r.Header.Get("Accept"), "version=3.docker-releases") {
			shown["docker_image"] = object{"id": image.id}
		}
		formation = append(formation, shown)
	}
	return formation, nil
}

type formationUpdate struct {
	Type, Quantity, Size string
	Image                string `json:"docker_image"`
}

// patchFormation is `heroku container:release` when it names images, and `heroku ps:scale` when it names quantities.
func (h *Heroku) patchFormation(a *app, r *http.Request) (any, error) {
	var want struct{ Updates []formationUpdate }
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, invalid("%v", err)
	}
	images, formation := make(map[string]*image), maps.Clone(a.formation)
	var deployed []string
	for _, update := range want.Updates {
		p, known := formation[update.Type]
		switch {
		case update.Image != "":
			image, err := h.findImage(a, update)
			if err != nil {
				return nil, err
			}
			if running := a.current().images[update.Type]; running != nil && running.id == image.id {
				continue // Heroku makes no release of it.
			}
			images[update.Type] = image
			deployed = append(deployed, fmt.Sprintf("%s (%.12s)", update.Type, strings.TrimPrefix(update.Image, "sha256:")))
			if !known {
				p.size = "Basic"
			}
			if !known && update.Type == "web" {
				p.quantity = 1 // Other types start when they are scaled.
			}
		case !known:
			return nil, &apiError{http.StatusNotFound, "not_found", "Couldn't find that process type (" + update.Type + ")."}
		default:
			quantity, err := strconv.ParseUint(update.Quantity, 10, 7)
			if err != nil {
				return nil, invalid("%s is no quantity of dynos here", update.Quantity)
			}
			p = processes{int(quantity), cmp.Or(update.Size, p.size)}
			if p.size == "Basic" && quantity > 1 {
				return nil, invalid("Cannot update to more than 1 Basic size dynos per process type.")
			}
		}
		formation[update.Type] = p
	}
	a.formation = formation
	if len(images) > 0 {
		h.release(a, "Deployed "+strings.Join(deployed, ", "), func(next *release) { maps.Copy(next.images, images) })
	} else {
		h.scale(a)
	}
	return showFormation(a, r)
}

// findImage returns the image to release if Heroku would take it.
func (h *Heroku) findImage(a *app, update formationUpdate) (*image, error) {
	if a.stack != "container" {
		return nil, invalid("%s is on the stack %s, not container", a.name, a.stack)
	}
	found, err := h.registry.latest(a.name + "/" + update.Type)
	if err != nil {
		return nil, err
	}
	if found == nil || found.id != update.Image {
		return nil, invalid("No image %s was pushed for process type %s", update.Image, update.Type)
	}
	if len(found.Config.Cmd) == 0 { // An ENTRYPOINT does not make up for it.
		return nil, invalid("No command specified for process type %s", update.Type)
	}
	return found, nil
}

func (a *app) show(r *release) object {
	return object{"id": r.id, "version": r.version, "description": r.description, "created_at": r.created, "status": "succeeded",
		"user": object{"email": user}, "current": r == a.current(), "eligible_for_rollback": len(r.images) > 0,
		"output_stream_url": nil}
}

// showReleases answers with the newest first, as many as the header Range asks for: the CLI always wants that order.
func showReleases(a *app, r *http.Request) (any, error) {
	most := len(a.releases)
	if match := regexp.MustCompile(`max=(\d+)`).FindStringSubmatch(r.Header.Get("Range")); match != nil {
		limit, _ := strconv.Atoi(match[1])
		most = min(most, limit)
	}
	releases := []object{}
	for _, release := range slices.Backward(a.releases[len(a.releases)-most:]) {
		releases = append(releases, a.show(release))
	}
	return releases, nil
}

func showRelease(a *app, r *http.Request) (any, error) {
	for _, release := range a.releases {
		if r.PathValue("version") == strconv.Itoa(release.version) {
			return a.show(release), nil
		}
	}
	return nil, &apiError{http.StatusNotFound, "not_found", "Couldn't find that release."}
}

func (h *Heroku) rollback(a *app, r *http.Request) (any, error) {
	var want struct{ Release string }
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, invalid("%v", err)
	}
	for _, old := range a.releases {
		if old.id == want.Release && len(old.images) > 0 {
			description := fmt.Sprintf("Rollback to v%d", old.version)
			return a.show(h.release(a, description, func(next *release) {
				next.images, next.config = old.images, old.config
			})), nil
		}
	}
	return nil, invalid("Release %s cannot be rolled back to", want.Release)
}

func (h *Heroku) setConfig(a *app, r *http.Request) (any, error) {
	var want map[string]string
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, invalid("%v", err)
	}
	names := strings.Join(slices.Sorted(maps.Keys(want)), ", ")
	return h.release(a, "Set "+names+" config vars", func(next *release) {
		maps.Copy(next.config, want)
	}).config, nil
}

// enableFeature is `heroku labs:enable`. The dynos see the metadata from the next release on.
func enableFeature(a *app, r *http.Request) (any, error) {
	name := r.PathValue("feature")
	if !slices.Contains([]string{"runtime-dyno-metadata", "runtime-heroku-metrics", "go-language-metrics"}, name) {
		return nil, &apiError{http.StatusNotFound, "not_found", "Couldn't find that app feature."}
	}
	a.features[name] = a.features[name] || r.Method == http.MethodPatch
	return object{"name": name, "enabled": a.features[name]}, nil
}

// logf adds a line to the log, in Logplex's form. The caller holds h.mu.
func (h *Heroku) logf(a *app, source, format string, args ...any) {
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00")
	a.log = append(a.log, stamp+" "+source+": "+fmt.Sprintf(format, args...))
	h.changed.Broadcast()
}

func (h *Heroku) createLogSession(a *app, r *http.Request) (any, error) {
	var want struct {
		Lines        int
		Tail         bool
		Dyno, Source string
	}
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil || want.Dyno != "" || want.Source != "" {
		return nil, invalid("herokutest shows the whole log only")
	}
	return object{"logplex_url": fmt.Sprintf("https://api.%s/logs/%s?id=%s&lines=%d&tail=%t", Host, a.name, a.id, want.Lines, want.Tail)}, nil
}

// streamLog sends the log's last lines as server-sent events and, for --tail, the new ones as they come.
func (h *Heroku) streamLog(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	a, ok := h.apps[r.PathValue("app")]
	h.mu.Unlock()
	if !ok || a.id != r.FormValue("id") {
		http.NotFound(w, r)
		return
	}
	stop := context.AfterFunc(r.Context(), h.wake)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 1\n\n") // Without, the CLI stays for 3 s after the last line.
	most, _ := strconv.Atoi(r.FormValue("lines"))
	tail := r.FormValue("tail") == "true"
	for sent := -1; r.Context().Err() == nil; {
		h.mu.Lock()
		for tail && sent == len(a.log) && r.Context().Err() == nil {
			h.changed.Wait()
		}
		if sent < 0 {
			sent = max(0, len(a.log)-max(0, most))
		}
		lines := a.log[sent:]
		sent = len(a.log)
		h.mu.Unlock()
		for _, line := range lines { // Nobody waits for a slow reader.
			fmt.Fprintf(w, "data: %s\n\n", line)
		}
		http.NewResponseController(w).Flush()
		if !tail {
			return
		}
	}
}

// wake makes all who wait look again, if only at their context.
func (h *Heroku) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Broadcast()
}
