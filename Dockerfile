# A static executable, of any Go service, the same bytes for everybody. Heroku's builder is the classic one: no --mount, --chmod, heredoc.
ARG GO_IMAGE=docker.io/library/golang:1.27.2-alpine@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673 SOURCE_DATE_EPOCH=0

# Go runs where the build runs, and compiles for where the image goes. The classic builder knows neither platform: it is for amd64.
# The image has to bring unzip, root certificates and some Go: if it is not the one of GOTOOLCHAIN, Go downloads that, and checks it.
# Nearly every service has net/http, which is most of the work: a layer that services with the same arguments share. Dated in the
# future, no file of Go's cache grows old: Go would write it into the next layer again after an hour, and delete it after five days.
FROM --platform=${BUILDPLATFORM:-linux/amd64} $GO_IMAGE AS go
ARG TARGETARCH TAGS GOPROXY GOSUMDB
ENV GOOS=linux GOARCH=${TARGETARCH:-amd64} CGO_ENABLED=0 GOTOOLCHAIN=go1.27.4+auto GOPROXY=$GOPROXY GOSUMDB=$GOSUMDB GOCACHE=/cache GOFLAGS="-trimpath -buildvcs=false '-tags=$TAGS'"
RUN go build net/http && find /cache -mtime 0 -exec touch -d 2037-01-01 {} +

# What the dependencies are compiled from: a list of imports, go.mod and its like, a profile, and vendor/. Most edits leave all of it as it is.
# In this mode Go lists the imports as they are written, and needs neither the modules nor the Go that the service wants. Before go 1.14 in
# go.mod, Go must be told to use vendor/.
FROM go AS source
ARG MAIN
COPY . /src
RUN cd /src && export GO111MODULE=off && main=${MAIN:-$(go list -e -find -f '{{if eq .Name "main"}}{{.Dir}}{{end}}' . ./cmd/*/)} && [ -d "$main" ] && echo "${main#/src}" >go.main \
 || { go list -find . ./cmd/*/; echo "MAIN: want one package main in . and cmd/*, not" ${main:-none}: set MAIN >&2; exit 1; } \
 && { grep -qsE '^go (1[.](1[4-9]|[2-9][0-9])|[2-9])' go.mod || [ ! -e go.mod ] || [ ! -e vendor/modules.txt ] || echo -mod=vendor; } >go.flags && go list -e -f '{{join .Imports "\n"}}' ./... >go.imports && sort -uo go.imports go.imports && find . ! -type d ! -path '*/vendor/*' ! -name 'go.*' ! -name default.pgo -exec rm {} +

# The dependencies, and a newer Go if the service wants one. Then the service. What does not compile by itself is left for it. go list
# takes a profile only after go build has read it.
FROM go AS build
COPY --from=source /src /dependencies
RUN cd "/dependencies/$(cat /dependencies/go.main)" && { [ -e vendor ] || [ -e /dependencies/vendor ] || go mod download; } && pgo=$(ls "$PWD/default.pgo" 2>/dev/null || echo off) && go build -v $(cat /dependencies/go.flags) "-pgo=$pgo" net/http && go list -v -e -export "-pgo=$pgo" $(cat /dependencies/go.flags /dependencies/go.imports) >/dev/null && find /cache -mtime 0 -exec touch -d 2037-01-01 {} +
# Root certificates and time zones, where Go looks for them: for TZ not in ZONEINFO.
ARG FILES LDFLAGS SYSTEM_FILES=no
RUN mkdir -p /image/etc/ssl/certs /image/usr/share/zoneinfo && case $SYSTEM_FILES in yes) cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs && unzip -q "$(go env GOROOT)/lib/time/zoneinfo.zip" -d /image/usr/share/zoneinfo ;; no) rm -r /image/* ;; *) echo "SYSTEM_FILES=$SYSTEM_FILES: want yes or no" >&2; exit 1 ;; esac
COPY . /src
RUN cd /src && { [ -z "$FILES" ] || { ! find -L $FILES -exec realpath {} + | grep -v ^/src/ && cp -rL --parents $FILES /image; }; } && chmod -R u+rwX,go=rX /image && mkdir -m 1777 /image/tmp && [ ! -e /image/server ] || { echo "FILES=$FILES: want paths of the context, except server and tmp" >&2; exit 1; } \
 && go build -C "/src/$(cat /dependencies/go.main)" -v $(cat /dependencies/go.flags) -ldflags "-s -w -buildid= $LDFLAGS" -o /out/ && mv /out/* /image/server && find /image -exec touch -hd @0 {} + && pointers=$(grep -rlE '^oid sha256:[0-9a-f]{64}$' /image | xargs -r grep -l 'version https://git-lfs' || true) && if [ "$pointers" ]; then echo "a pointer of Git LFS, not its file, is in $pointers: git lfs pull" >&2; exit 1; fi

# Without ENTRYPOINT, Heroku starts the command through /bin/sh, which is not here; without CMD, it refuses the release. It ignores USER.
FROM scratch
COPY --from=build /image /
USER 10001:10001
ENTRYPOINT ["/server"]
CMD ["web"]
