package herokutest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A dyno is a container that runs one process type of a release. Its state is guarded by Heroku.mu.
type dyno struct {
	name, processType string // like "web.1" and "web"
	image             *image
	env               []string
	container         string // docker's name for it
	address           string // where the router reaches it, once it is known
	stopping          chan bool

	state string // "starting", "up", "crashed" or "down", as `heroku ps` shows it
	since time.Time
}

// command is how Heroku starts the image. With an ENTRYPOINT, CMD arrives joined into one argument. Without, a shell of
// the image runs it, even an exec-form CMD.
func (d *dyno) command() string { return strings.Join(d.image.Config.Cmd, " ") }

func (d *dyno) dockerArgs() []string {
	if len(d.image.Config.Entrypoint) > 0 {
		return []string{d.image.ref, d.command()}
	}
	return []string{"--entrypoint", "/bin/sh", d.image.ref, "-c", d.command()}
}

// scale starts and stops dynos until there are as many as the formation says. The caller holds h.mu.
func (h *Heroku) scale(a *app) {
	a.dynos = slices.DeleteFunc(a.dynos, func(d *dyno) bool {
		var number int
		fmt.Sscanf(d.name, d.processType+".%d", &number)
		surplus := number > a.formation[d.processType].quantity
		if surplus {
			h.stop(a, d)
		}
		return surplus
	})
	release := a.current()
	for processType, image := range release.images {
		for number := 1; number <= a.formation[processType].quantity; number++ {
			name := fmt.Sprintf("%s.%d", processType, number)
			if !slices.ContainsFunc(a.dynos, func(d *dyno) bool { return d.name == name }) {
				h.start(a, release, image, processType, name)
			}
		}
	}
}

// start starts a dyno, unless Close has begun. The caller holds h.mu.
func (h *Heroku) start(a *app, release *release, image *image, processType, name string) {
	if h.closed {
		return
	}
	port := 3000 + rand.IntN(50000)
	d := &dyno{name: name, processType: processType, image: image, state: "starting", since: time.Now(),
		container: fmt.Sprintf("herokutest-%s-%s-%08x", a.name, name, rand.Uint32()), stopping: make(chan bool)}
	d.env = []string{fmt.Sprintf("PORT=%d", port), "DYNO=" + name}
	if a.features["runtime-dyno-metadata"] {
		d.env = append(d.env, "HEROKU_APP_NAME="+a.name, "HEROKU_APP_ID="+a.id, fmt.Sprintf("HEROKU_RELEASE_VERSION=v%d", release.version),
			"HEROKU_RELEASE_CREATED_AT="+release.created.Format(time.RFC3339))
	}
	for key, value := range release.config {
		d.env = append(d.env, key+"="+value)
	}
	a.dynos = append(a.dynos, d)
	h.dynos.Go(func() { h.run(a, d, port) })
}

// stop makes the dynos end. The router still chooses those that were up for a while. The caller holds h.mu.
func (h *Heroku) stop(a *app, dynos ...*dyno) {
	for _, d := range dynos {
		if d.state == "up" {
			a.leaving = append(a.leaving, d)
		}
		d.state, d.since = "down", time.Now()
		close(d.stopping)
	}
}

// setState does not bring back a dyno that was told to stop.
func (h *Heroku) setState(a *app, d *dyno, state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.state != "down" {
		h.logf(a, "heroku["+d.name+"]", "State changed from %s to %s", d.state, state)
		d.state, d.since = state, time.Now()
	}
	h.changed.Broadcast()
}

// run is the life of a dyno.
func (h *Heroku) run(a *app, d *dyno, port int) {
	note := func(format string, args ...any) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.logf(a, "heroku["+d.name+"]", format, args...)
	}
	note("Starting process with command `%s`", d.command())
	exited, err := h.runContainer(a, d)
	if err != nil {
		note("%v", err)
		h.setState(a, d, "crashed")
		return
	}

	var boot <-chan time.Time // nil but between the launch and the first time that it listens
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var stopping chan bool // nil until there is a process to send a signal to
	for {
		select {
		case status := <-exited:
			note("Process exited with status %d", status)
			h.setState(a, d, "crashed")
			return
		case <-boot:
			note("Error R10 (Boot timeout) -> Web process failed to bind to $PORT within %v of launch", h.BootTimeout)
			note("Stopping process with SIGKILL")
			h.docker("kill", d.container)
		case <-tick.C:
			if d.address == "" {
				if d.address = h.containerAddress(d, port); d.address == "" {
					continue
				}
				boot, stopping = time.After(h.BootTimeout), d.stopping
			}
			if d.processType != "web" || listens(d.address) {
				boot = nil
				tick.Stop()
				h.setState(a, d, "up")
			}
		case <-stopping:
			if h.isClosed() { // Nobody waits for the last answers.
				h.docker("kill", d.container)
				<-exited
				return
			}
			note("Stopping all processes with SIGTERM") // Docker signals the first one, which ends the others.
			h.docker("kill", "--signal", "TERM", d.container)
			select {
			case status := <-exited:
				note("Process exited with status %d", status)
			case <-time.After(h.StopTimeout):
				note("Error R12 (Exit timeout) -> At least one process failed to exit within %v of SIGTERM", h.StopTimeout)
				note("Stopping remaining processes with SIGKILL")
				h.docker("kill", d.container)
				note("Process exited with status %d", <-exited)
			}
			return
		}
	}
}

// runContainer starts the container as Heroku would, and returns a channel with its exit status to come.
func (h *Heroku) runContainer(a *app, d *dyno) (<-chan int, error) {
	if _, err := h.docker("pull", "--quiet", d.image.ref); err != nil {
		return nil, err
	}
	uid := 1000 + rand.IntN(60000) // It has no entry in /etc/passwd.
	args := []string{"run", "--rm", "--sig-proxy=false", "--name", d.container, "--user", fmt.Sprintf("%d:%d", uid, uid),
		"--memory", "512m", "--memory-swap", "512m",
		// The image's STOPSIGNAL and HEALTHCHECK mean nothing to Heroku.
		"--stop-signal", "SIGTERM", "--no-healthcheck"}
	for _, variable := range d.env {
		args = append(args, "--env", variable)
	}
	command := h.dockerCommand(append(args, d.dockerArgs()...)...)
	output, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		return nil, err
	}
	logged := make(chan bool)
	go func() {
		defer close(logged)
		lines := bufio.NewReader(output)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				h.mu.Lock()
				h.logf(a, "app["+d.name+"]", "%s", strings.TrimSuffix(line, "\n"))
				h.mu.Unlock()
			}
			if err != nil {
				return
			}
		}
	}()
	exited := make(chan int, 1)
	go func() {
		err := command.Wait()
		writer.Close()
		<-logged
		status := 0
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		exited <- status
	}()
	return exited, nil
}

// containerAddress is where the container serves PORT, once it runs. It is not published to the host: docker would take
// connections on the host's port even when the process listens on the container's loopback only.
func (h *Heroku) containerAddress(d *dyno, port int) string {
	ip, err := h.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", d.container)
	if err != nil || ip == "" {
		return ""
	}
	return net.JoinHostPort(ip, fmt.Sprint(port))
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}
