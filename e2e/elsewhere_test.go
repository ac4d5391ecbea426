package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stack is what elsewhere/kubernetes.yaml says, for docker's own orchestrator.
const stack = `
version: "3.8"
services:
  web:
    image: %s
    user: "10001:10001"
    read_only: true
    cap_drop: [ALL]
    stop_grace_period: 30s
    environment:
      HEROKU_RELEASE_VERSION: %s
    healthcheck:
      test: [CMD, /server, healthcheck]
      interval: 2s
      retries: 1
    deploy:
      replicas: 3
      update_config:
        order: start-first
      resources:
        limits:
          memory: 64M
networks:
  default:
    attachable: true
`

func TestARollingUpdateOfThreeReplicasLosesNoRequest(t *testing.T) {
	if run(t, ".", os.Environ(), "docker info --format '{{.Swarm.LocalNodeState}}'") == "inactive\n" {
		atEnd(t, func() { exec.Command("docker", "swarm", "leave", "--force").Run() })
		run(t, ".", os.Environ(), "docker swarm init --advertise-addr 127.0.0.1")
	}
	const image, name, loadName = "heroku-go-example-e2e:elsewhere", "heroku-go-example-e2e", "heroku-go-example-e2e-load"
	build(t, checkout(t), classic, image, "")
	dir := t.TempDir()
	deploy := func(release string) {
		t.Helper()
		file := filepath.Join(dir, "stack.yml")
		if err := os.WriteFile(file, fmt.Appendf(nil, stack, image, release), 0o644); err != nil {
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
	run(t, ".", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), "go build -mod=vendor -buildvcs=false -o "+dir+"/load ./load")
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
