package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A manifest has all that elsewhere/kubernetes.yaml says, so that a misspelled name is found.
type manifest struct {
	APIVersion, Kind string
	Metadata         struct{ Name string }
	Spec             struct {
		Replicas                   int
		MaxUnavailable             int
		UnhealthyPodEvictionPolicy string
		Strategy                   struct {
			Type          string
			RollingUpdate struct{ MaxUnavailable, MaxSurge *int }
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				AutomountServiceAccountToken  bool
				TerminationGracePeriodSeconds int
				TopologySpreadConstraints     []struct {
					MaxSkew                        int
					TopologyKey, WhenUnsatisfiable string
					LabelSelector                  struct{ MatchLabels map[string]string }
				}
				SecurityContext struct {
					RunAsNonRoot          bool
					RunAsUser, RunAsGroup int
					SeccompProfile        struct{ Type string }
				}
				Containers []struct {
					Name, Image string
					Ports       []struct{ ContainerPort int }
					Lifecycle   struct {
						PreStop struct{ Sleep struct{ Seconds int } }
					}
					ReadinessProbe, LivenessProbe struct {
						HTTPGet struct {
							Path string
							Port int
						}
						PeriodSeconds, FailureThreshold int
					}
					Resources       struct{ Requests, Limits struct{ CPU, Memory string } }
					SecurityContext struct {
						AllowPrivilegeEscalation *bool
						ReadOnlyRootFilesystem   bool
						Capabilities             struct{ Drop []string }
					}
				}
			}
		}
		Selector map[string]any
		Ports    []struct{ Port, TargetPort int }
	}
}

// kubernetes prints a file of manifests as JSON, or fails when Kubernetes would not take one.
const kubernetes = `const yaml = require("yaml"), fs = require("fs")
const all = yaml.parseAllDocuments(fs.readFileSync(process.argv[1], "utf8")).map((one) => one.toJS())
for (const one of all) new (require("kubernetes-models/" + one.apiVersion)[one.kind])(one).validate()
console.log(JSON.stringify(all))`

// manifests reads a file like elsewhere/kubernetes.yaml.
func manifests(t *testing.T, file string) ([]manifest, error) {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := try(t, ".tools", os.Environ(), "node -e '"+kubernetes+"' "+file)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	var all []manifest
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	return all, decoder.Decode(&all)
}

// theManifests are those of elsewhere/kubernetes.yaml.
func theManifests(t *testing.T) (deployment, budget, service manifest) {
	t.Helper()
	all, err := manifests(t, "../elsewhere/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[0].Kind != "Deployment" || all[1].Kind != "PodDisruptionBudget" || all[2].Kind != "Service" || len(all[0].Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("got %+v, want a deployment of one container, a budget and a service", all)
	}
	return all[0], all[1], all[2]
}

func TestABadManifestIsFound(t *testing.T) {
	for _, edit := range []string{"s/periodSeconds/periodSecond/", "s/replicas: 3/replicas: three/", "/selector:/,+2d"} {
		file := filepath.Join(t.TempDir(), "bad.yaml")
		run(t, ".", os.Environ(), "sed '"+edit+"' ../elsewhere/kubernetes.yaml >"+file)
		if _, err := manifests(t, file); err == nil {
			t.Errorf("%s: want an error", edit)
		}
	}
}

func TestTheManifestFitsTheServer(t *testing.T) {
	deployment, budget, service := theManifests(t)
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]
	for _, port := range []int{container.Ports[0].ContainerPort, container.ReadinessProbe.HTTPGet.Port, container.LivenessProbe.HTTPGet.Port,
		service.Spec.Ports[0].TargetPort} {
		if port != 8080 { // Where the server listens without PORT, as the test below shows.
			t.Errorf("got the port %d, want 8080", port)
		}
	}
	_, url, _ := startServer(t)
	for _, path := range []string{container.ReadinessProbe.HTTPGet.Path, container.LivenessProbe.HTTPGet.Path} {
		get(t, http.DefaultClient, url+path)
	}
	labels := fmt.Sprint(deployment.Spec.Template.Metadata.Labels)
	for what, selected := range map[string]any{"deployment": deployment.Spec.Selector["matchLabels"], "budget": budget.Spec.Selector["matchLabels"],
		"service": service.Spec.Selector, "spread": pod.TopologySpreadConstraints[0].LabelSelector.MatchLabels} {
		if fmt.Sprint(selected) != labels {
			t.Errorf("%s selects %v, want %s", what, selected, labels)
		}
	}
	if want := container.Lifecycle.PreStop.Sleep.Seconds + 30; pod.TerminationGracePeriodSeconds < want {
		t.Errorf("the server has %d s to stop, want %d", pod.TerminationGracePeriodSeconds, want)
	}
	if update := deployment.Spec.Strategy; update.Type != "RollingUpdate" || update.RollingUpdate.MaxUnavailable == nil || *update.RollingUpdate.MaxUnavailable != 0 {
		t.Error("an update may stop a pod before a new one is ready")
	}
	if live := container.LivenessProbe; live.PeriodSeconds*live.FailureThreshold < 40 {
		t.Errorf("a server that stops may be restarted after %d s", live.PeriodSeconds*live.FailureThreshold)
	}
	if memory := container.Resources.Limits.Memory; memory != "128Mi" || container.Resources.Requests.Memory != memory {
		t.Errorf("the limit of memory is %s, want 128Mi, and as much requested", memory)
	}
	if budget.Spec.MaxUnavailable != 1 {
		t.Errorf("drained nodes may stop %d pods at once, want 1", budget.Spec.MaxUnavailable)
	}
	if budget.Spec.UnhealthyPodEvictionPolicy != "AlwaysAllow" {
		t.Error("a pod that never gets ready keeps a node from being drained")
	}
	if user := fmt.Sprintf("\nUSER %d:%d\n", pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup); !strings.Contains(read(t, "../Dockerfile"), user) {
		t.Errorf("the Dockerfile does not say %q", user)
	}
	if context := container.SecurityContext; !pod.SecurityContext.RunAsNonRoot || !context.ReadOnlyRootFilesystem ||
		context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation || !slices.Equal(context.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("the container may do more than it needs: %+v, %+v", pod.SecurityContext, context)
	}
}

// criticized returns the names of kube-score's checks that are critical of a file of manifests. That they set no limit for the CPU is
// meant so.
func criticized(t *testing.T, file string) []string {
	t.Helper()
	out, _ := try(t, ".", os.Environ(), "kube-score score --kubernetes-version v1.30 --ignore-container-cpu-limit --output-format json "+file)
	var objects []struct {
		Checks []struct {
			Check   struct{ ID string }
			Grade   int
			Skipped bool
		}
	}
	if err := json.Unmarshal([]byte(out), &objects); err != nil || len(objects) != 3 {
		t.Fatalf("got %v and %d objects: %s", err, len(objects), out)
	}
	var names []string
	for _, object := range objects {
		for _, check := range object.Checks {
			if check.Grade == 1 && !check.Skipped {
				names = append(names, check.Check.ID)
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestTheManifestSaysWhyWhereKubeScoreIsCritical(t *testing.T) {
	const file = "../elsewhere/kubernetes.yaml"
	var explained []string
	for _, line := range regexp.MustCompile(`(?m)^#   ([a-z-]+): `).FindAllStringSubmatch(read(t, file), -1) {
		explained = append(explained, line[1])
	}
	slices.Sort(explained)
	if got := criticized(t, file); !slices.Equal(got, explained) {
		t.Errorf("kube-score is critical of %q, and the manifest says why for %q", got, explained)
	}
	for edit, want := range map[string]string{
		"s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/": "container-security-context-readonlyrootfilesystem",
		"s/runAsUser: 10001/runAsUser: 1000/":                           "container-security-context-user-group-id",
		"s/^    app: server/    app: other/":                            "service-targets-pod",
		"s/image: .*/image: server:latest/":                             "container-image-tag",
		"/^            limits:/,+1d":                                    "container-resources",
	} {
		bad := filepath.Join(t.TempDir(), "bad.yaml")
		run(t, ".", os.Environ(), "sed '"+edit+"' "+file+" >"+bad)
		if got := criticized(t, bad); !slices.Contains(got, want) {
			t.Errorf("%s: kube-score is critical of %q, want also %s", edit, got, want)
		}
	}
}

// drainTime is how long a stopping pod still takes requests: the wait before SIGTERM, and the server's own DRAIN_TIME.
func drainTime(t *testing.T) string {
	t.Helper()
	deployment, _, _ := theManifests(t)
	return fmt.Sprintf("%ds", deployment.Spec.Template.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds+3)
}

// stack is what the manifest says, for docker's own orchestrator, which has no wait before SIGTERM.
const stack = `
version: "3.8"
services:
  web:
    image: %s
    read_only: true
    cap_drop: [ALL]
    stop_grace_period: %ds
    environment:
      HEROKU_RELEASE_VERSION: %s
      DRAIN_TIME: %s
    healthcheck:
      test: [CMD, /server, healthcheck]
      interval: %ds
      retries: %d
    deploy:
      replicas: %d
      update_config:
        order: start-first
      placement:
        preferences:
          - spread: node.id
      resources:
        limits:
          memory: %[8]s
        reservations:
          memory: %[8]s
networks:
  default:
    attachable: true
`

func TestARollingUpdateOfThreeReplicasLosesNoRequest(t *testing.T) {
	t.Parallel() // It waits most of the time.
	if run(t, ".", os.Environ(), "docker info --format '{{.Swarm.LocalNodeState}}'") == "inactive\n" {
		atEnd(t, func() { exec.Command("docker", "swarm", "leave", "--force").Run() })
		run(t, ".", os.Environ(), "docker swarm init --advertise-addr 127.0.0.1")
	}
	const image, name, loadName = "heroku-go-example-e2e:elsewhere", "heroku-go-example-e2e", "heroku-go-example-e2e-load"
	build(t, checkout(t), classic, image, "")
	deployment, _, _ := theManifests(t)
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]
	dir := t.TempDir()
	deploy := func(release string) {
		t.Helper()
		file := filepath.Join(dir, "stack.yml")
		text := fmt.Sprintf(stack, image, pod.TerminationGracePeriodSeconds, release, drainTime(t), container.ReadinessProbe.PeriodSeconds,
			container.ReadinessProbe.FailureThreshold, deployment.Spec.Replicas, strings.TrimSuffix(container.Resources.Limits.Memory, "i"))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, dir, os.Environ(), "docker stack deploy --resolve-image never --compose-file stack.yml "+name)
		eventually(t, "three replicas of "+release, func() bool {
			healthy := run(t, ".", os.Environ(), "docker ps --quiet --filter health=healthy --filter name="+name+"_web | "+
				"xargs --no-run-if-empty docker inspect --format '{{.Config.Env}}'")
			all := run(t, ".", os.Environ(), "docker ps --quiet --filter name="+name+"_web")
			return strings.Count(healthy, "VERSION="+release) == 3 && strings.Count(all, "\n") == 3
		})
	}
	atEnd(t, func() {
		exec.Command("docker", "rm", "--force", loadName).Run()
		exec.Command("docker", "stack", "rm", name).Run()
	})
	deploy("v1")

	// The kernel may lack what docker's own load balancing needs. The name tasks.web stands for each replica's address.
	run(t, ".", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), "go build -buildvcs=false -o "+dir+"/load ./load")
	run(t, ".", os.Environ(), fmt.Sprintf("docker run --detach --name %s --network %s_default --volume %s/load:/load:ro --entrypoint /load %s http://tasks.web:8080/version",
		loadName, name, dir, image))
	deploy("v2")
	run(t, ".", os.Environ(), "docker stop "+loadName)
	var result struct {
		Answers map[string]int
		Failed  []string
	}
	out := run(t, ".", os.Environ(), "docker logs "+loadName)
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("answers by release: %v", result.Answers)
	if len(result.Failed) > 0 {
		t.Errorf("%d requests failed, the first one: %s", len(result.Failed), result.Failed[0])
	}
	if result.Answers["v1"] < 1000 || result.Answers["v2"] < 1000 {
		t.Errorf("got answers by release %v, want 1000 and more from both", result.Answers)
	}
}

// A balancer is haproxy in front of two servers. It never sends a request again.
type balancer struct{ socket, stats string }

const haproxy = `global
  stats socket %s/stats
defaults
  mode http
  retries 0
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  http-reuse always
listen servers
  bind unix@%[1]s/front
  option httpchk GET /healthz
  default-server check inter %s fall 1 rise 1
  server one %s
  server two %s
`

func startBalancer(t *testing.T, interval string, addresses []string) *balancer {
	t.Helper()
	dir := t.TempDir()
	b := &balancer{dir + "/front", dir + "/stats"}
	if err := os.WriteFile(dir+"/haproxy.cfg", []byte(fmt.Sprintf(haproxy, dir, interval, addresses[0], addresses[1])), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("haproxy", "-db", "-f", dir+"/haproxy.cfg")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	atEnd(t, func() { command.Process.Kill(); command.Wait() })
	b.waitFor(t, 2)
	return b
}

// waitFor waits until the balancer has n servers.
func (b *balancer) waitFor(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " servers"), func() bool {
		conn, err := net.Dial("unix", b.stats)
		if err != nil {
			return false
		}
		defer conn.Close()
		fmt.Fprintln(conn, "show stat")
		state, _ := io.ReadAll(conn)
		return len(regexp.MustCompile(`(?m)^servers,(one|two),.*,UP,`).FindAll(state, -1)) == n
	})
}

func (b *balancer) client() *http.Client {
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", b.socket) }
	return &http.Client{Transport: &http.Transport{DialContext: dial}}
}

// load sends GET and POST in turn, over ten connections, until stop is closed. It returns how many requests a server has
// answered, and the failures.
func (b *balancer) load(stop <-chan struct{}) (answered int, failed []string) {
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			client := b.client()
			defer client.CloseIdleConnections()
			for i, tick := 0, time.NewTicker(10*time.Millisecond); ; i++ {
				select {
				case <-stop:
					tick.Stop()
					return
				case <-tick.C:
				}
				err := func() error {
					// With a body that is a mere reader, Go's client does not send a request again.
					request, err := http.NewRequest([]string{"GET", "POST"}[i%2], "http://servers/version", io.NopCloser(strings.NewReader("hello")))
					if err != nil {
						return err
					}
					response, err := client.Do(request)
					if err != nil {
						return err
					}
					defer response.Body.Close()
					body, err := io.ReadAll(response.Body)
					// The server itself refuses a POST.
					if err == nil && response.StatusCode != http.StatusOK && response.StatusCode != http.StatusMethodNotAllowed {
						err = fmt.Errorf("%s: %s", response.Status, body)
					}
					return err
				}()
				mu.Lock()
				if answered++; err != nil {
					failed = append(failed, err.Error())
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	return answered - len(failed), failed
}

// replaceBoth replaces two servers in turn, under load.
func replaceBoth(t *testing.T, program, interval string, env ...string) (answered int, failed []string) {
	t.Helper()
	var servers [2]*exec.Cmd
	var addresses [2]string
	for i := range servers {
		servers[i] = exec.Command(program)
		addresses[i] = startOnFreePort(t, servers[i], env...)
	}
	b := startBalancer(t, interval, addresses[:])
	stop, done := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	go func() {
		defer close(done)
		answered, failed = b.load(stop)
	}()
	for i := range servers {
		servers[i].Process.Signal(syscall.SIGTERM)
		b.waitFor(t, 1)
		servers[i].Wait()
		servers[i] = exec.Command(program)
		startOn(t, addresses[i], servers[i], env...)
		b.waitFor(t, 2)
	}
	end()
	<-done
	return answered, failed
}

func TestBehindAnotherBalancerNoRequestIsLostEither(t *testing.T) {
	dir := t.TempDir()
	run(t, "..", goEnv(), "go build -o "+dir+"/server .")
	run(t, "peers", goEnv(), "go build -o "+dir+"/bare ./bare")
	run(t, dir, os.Environ(), `printf 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello' >answer`)
	for _, interval := range []string{"2s", "5s"} {
		t.Run(interval, func(t *testing.T) {
			t.Parallel() // It waits most of the time.
			answered, failed := replaceBoth(t, dir+"/server", interval, "DRAIN_TIME="+drainTime(t))
			t.Logf("%d requests answered", answered)
			if len(failed) > 0 || answered < 1000 {
				t.Errorf("%d requests failed and %d did not: %q", len(failed), answered, failed[:min(1, len(failed))])
			}
			if answered, failed := replaceBoth(t, dir+"/bare", interval, "ANSWER="+dir+"/answer"); len(failed) == 0 {
				t.Errorf("servers that stop at once lose none of %d requests: would this test notice?", answered)
			} else {
				t.Logf("of a server that stops at once: %d answered, %d failed, the first one: %s", answered, len(failed), failed[0])
			}
		})
	}
}
