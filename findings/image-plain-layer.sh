#!/bin/sh
# The library of skopeo, Podman and Buildah calls a layer gzip that a registry has already, but not compressed.
#
# Expected: an image of `docker save`, whose layers are not compressed, is pushed to a registry. It would send them as gzip. If the registry has
# the layer as it is, the library takes that one, and the manifest says so: application/vnd.docker.image.rootfs.diff.tar.
# What happens: it takes that one, and the manifest says application/vnd.docker.image.rootfs.diff.tar.gzip. Who believes it cannot unpack the
# layer. A layer that is compressed before the push, by a copy to dir:, is sent as it is: then the manifest is right.
#
# go.podman.io/image/v5 v5.42.1, with the registry of github.com/google/go-containerregistry v0.22.1. Docker with the containerd image
# store pushes such layers, so a registry may have them.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'GO'
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports/alltransports"
	imagetypes "go.podman.io/image/v5/types"
)

func main() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	// An archive of one layer, as `docker save` writes it.
	plain := static.NewLayer(bytes.Repeat([]byte{0}, 10240), types.DockerUncompressedLayer) // an empty tar
	image := must(mutate.AppendLayers(empty.Image, plain))
	check(tarball.WriteToFile("archive.tar", must(name.NewTag("example.com/image:v1")), image))

	// The registry has the layer as it is.
	check(remote.WriteLayer(must(name.NewRepository(host+"/image", name.Insecure)), plain))

	push := func(from, tag string) {
		to := must(alltransports.ParseImageName("docker://" + host + "/image:" + tag))
		copyImage(from, to, &imagetypes.SystemContext{DockerInsecureSkipTLSVerify: imagetypes.OptionalBoolTrue})
		manifest := must(must(remote.Image(must(name.ParseReference(host+"/image:"+tag, name.Insecure)))).Manifest())
		digest := must(plain.Digest())
		fmt.Printf("%s: the manifest says %s of %s\n", tag, manifest.Layers[0].MediaType, map[bool]string{true: "the plain layer", false: "another"}[manifest.Layers[0].Digest == digest])
	}
	push("docker-archive:archive.tar", "straight")
	copyImage("docker-archive:archive.tar", must(alltransports.ParseImageName("dir:compressed")), &imagetypes.SystemContext{DirForceCompress: true})
	push("dir:compressed", "compressed-before")
}

func copyImage(from string, to imagetypes.ImageReference, destination *imagetypes.SystemContext) {
	policy := must(signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}}))
	options := &copy.Options{DestinationCtx: destination, PreserveDigests: strings.HasPrefix(from, "dir:")}
	must(copy.Image(context.Background(), policy, to, must(alltransports.ParseImageName(from)), options))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
GO
cat >go.mod <<'GO'
module finding

go 1.25

require (
	github.com/google/go-containerregistry v0.22.1
	go.podman.io/image/v5 v5.42.1
)
GO
export GOFLAGS=-mod=mod HOME="$work"
go get github.com/google/go-containerregistry@v0.22.1 go.podman.io/image/v5@v5.42.1 2>err || { cat err; exit 1; }
go version
said=$(CGO_ENABLED=0 go run -tags containers_image_openpgp,exclude_graphdriver_btrfs .)
echo "$said"
[ "$said" = 'straight: the manifest says application/vnd.docker.image.rootfs.diff.tar.gzip of the plain layer
compressed-before: the manifest says application/vnd.docker.image.rootfs.diff.tar.gzip of another' ]
