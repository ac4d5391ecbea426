# The image that Heroku runs: one static file. Heroku's own builder is Docker's classic one, so there is no RUN --mount,
# COPY --chmod or heredoc in here.

# The toolchain that go.mod names, by digest: everybody compiles with the same one and gets the same bytes.
ARG GO_IMAGE=golang:1.27.2-alpine@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673

# Stage 1 compiles what comes from others: an edit of the service leaves it in the cache. First the whole standard library,
# a layer for every service with this toolchain: it takes some ten seconds more than the packages that a service uses,
# once, and needs no list of these. Then what is vendored; a package that does not compile by itself, because it is not for
# Linux for instance, is left out.
FROM $GO_IMAGE AS dependencies
WORKDIR /src
ENV GOOS=linux GOARCH=amd64 CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false '-ldflags=-s -w -buildid='"
RUN go build std
COPY go.mod go.sum ./
COPY vendor vendor
RUN go build $(go list -e -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' $(grep -v '^#' vendor/modules.txt)) || true

# Stage 2 compiles the service and lays out the last image. Its files are given a fixed time, so that the image's layer
# is the same to the byte whenever and wherever it is built.
FROM dependencies AS build
COPY . .
RUN mkdir -m 755 /image && mkdir -m 1777 /image/tmp \
 && go build -v -o /image/server . \
 && touch -d @0 /image/tmp /image/server /image

# Stage 3 is the image: from nothing, with the executable and a /tmp, which Heroku's dynos do not bring along.
FROM scratch
COPY --from=build /image /
# Without ENTRYPOINT, Heroku starts the command through /bin/sh, which is not here.
ENTRYPOINT ["/server"]
# Without CMD, Heroku refuses the release: "No command specified for process type web".
CMD ["web"]
