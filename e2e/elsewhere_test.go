package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A manifest has all that elsewhere/kubernetes.yaml says, so that a misspelled name is found.
type manifest struct {
	APIVersion, Kind string
	Metadata         struct{ Name string }
	Spec             struct {
		Replicas int
		Strategy struct {
			RollingUpdate struct{ MaxUnavailable, MaxSurge *int }
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				AutomountServiceAccountToken  bool
				TerminationGracePeriodSeconds int
				SecurityContext               struct {
					RunAsNonRoot          bool
					RunAsUser, RunAsGroup int
					SeccompProfile        struct{ Type string }
				}
				Containers []struct {
					Name, Image                   string
					Ports                         []struct{ ContainerPort int }
					ReadinessProbe, LivenessProbe struct {
						HTTPGet struct {
							Path string
							Port int
						}
						TCPSocket                       struct{ Port int }
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

// deploymentAndService is what elsewhere/kubernetes.yaml holds.
func deploymentAndService(t *testing.T) (deployment, service manifest) {
	t.Helper()
	all, err := manifests(t, "../elsewhere/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Kind != "Deployment" || all[1].Kind != "Service" || len(all[0].Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("got %+v, want a deployment of one container, and a service", all)
	}
	return all[0], all[1]
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
	deployment, service := deploymentAndService(t)
	pod := deployment.Spec.Template.Spec
	container := pod.Containers[0]
	for _, port := range []int{container.Ports[0].ContainerPort, container.ReadinessProbe.HTTPGet.Port, container.LivenessProbe.TCPSocket.Port,
		service.Spec.Ports[0].TargetPort} {
		if port != 8080 { // Where the server listens without PORT, as the test below shows.
			t.Errorf("got the port %d, want 8080", port)
		}
	}
	_, url, _ := startServer(t)
	get(t, http.DefaultClient, url+container.ReadinessProbe.HTTPGet.Path)
	if labels := fmt.Sprint(deployment.Spec.Template.Metadata.Labels); fmt.Sprint(deployment.Spec.Selector["matchLabels"]) != labels ||
		fmt.Sprint(service.Spec.Selector) != labels {
		t.Errorf("deployment and service select %v and %v, want %s", deployment.Spec.Selector, service.Spec.Selector, labels)
	}
	if pod.TerminationGracePeriodSeconds < 30 {
		t.Errorf("the server has %d s to stop, want 30", pod.TerminationGracePeriodSeconds)
	}
	if unavailable := deployment.Spec.Strategy.RollingUpdate.MaxUnavailable; unavailable == nil || *unavailable != 0 {
		t.Error("an update may stop a pod before a new one is ready")
	}
	if context := container.SecurityContext; !pod.SecurityContext.RunAsNonRoot || !context.ReadOnlyRootFilesystem ||
		context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation || !slices.Equal(context.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("the container may do more than it needs: %+v, %+v", pod.SecurityContext, context)
	}
}

// stack is what the manifest says, for docker's own orchestrator.
const stack = `
version: "3.8"
services:
  web:
    image: %s
    user: "%d:%d"
    read_only: true
    cap_drop: [ALL]
    stop_grace_period: %ds
    environment:
      HEROKU_RELEASE_VERSION: %s
    healthcheck:
      test: [CMD, /server, healthcheck]
      interval: 2s
      retries: 1
    deploy:
      replicas: %d
      update_config:
        order: start-first
      resources:
        limits:
          memory: %s
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
	deployment, _ := deploymentAndService(t)
	pod := deployment.Spec.Template.Spec
	dir := t.TempDir()
	deploy := func(release string) {
		t.Helper()
		file := filepath.Join(dir, "stack.yml")
		text := fmt.Sprintf(stack, image, pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup, pod.TerminationGracePeriodSeconds,
			release, deployment.Spec.Replicas, strings.TrimSuffix(pod.Containers[0].Resources.Limits.Memory, "i"))
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
