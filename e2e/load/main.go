// Load asks a server's /version all the time, over 20 connections that it keeps, until SIGTERM. Then it prints in JSON how
// many answers came from each release, and the requests that failed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	var mu sync.Mutex
	result := struct {
		Answers map[string]int
		Failed  []string
	}{Answers: make(map[string]int)}

	for range 20 {
		go func() {
			client := &http.Client{Transport: new(http.Transport)}
			for {
				release, err := ask(client, os.Args[1])
				mu.Lock()
				if err != nil {
					result.Failed = append(result.Failed, err.Error())
				} else {
					result.Answers[release]++
				}
				mu.Unlock()
			}
		}()
	}
	<-stop
	mu.Lock()
	json.NewEncoder(os.Stdout).Encode(result)
}

func ask(client *http.Client, url string) (release string, err error) {
	// With a body, be it empty, Go's client does not send the request again when the connection breaks.
	request, err := http.NewRequest("GET", url, io.NopCloser(strings.NewReader("")))
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, body)
	}
	var version struct{ Release string }
	err = json.Unmarshal(body, &version)
	return version.Release, err
}
