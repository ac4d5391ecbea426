# One static file, of any Go service, the same bytes for everybody. Heroku's builder is the classic one: no --mount, --chmod, heredoc.
ARG GO_IMAGE=docker.io/library/golang:1.27.2-alpine@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673
ARG SOURCE_DATE_EPOCH=0

# The standard library, a layer for all services, and the modules, unless vendor/ has them. [m] makes a file optional.
FROM $GO_IMAGE AS modules
WORKDIR /src
ENV GOOS=linux GOARCH=amd64 CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
RUN go build std
COPY go.mod go.su[m] vendo[r]/modules.tx[t] ./
RUN [ -e modules.txt ] || go mod download || true; rm -f modules.txt
ARG TAGS
ENV GOFLAGS="$GOFLAGS '-tags=$TAGS'"

# The folder of the program, and what it imports of others. Most edits leave both as they are, and what is compiled from them.
FROM modules AS imports
COPY . .
ARG MAIN
RUN main=${MAIN:-$(go list -e -find -f '{{if eq .Name "main"}}{{.Dir}}{{end}}' . ./cmd/*/)} && set -- $main \
 && if [ $# != 1 ]; then go list -find . ./cmd/*/; echo "MAIN: want one package main in . and cmd/*, not ${*:-none}: set MAIN" >&2; exit 1; fi \
 && mkdir -p /imports/src && echo "$main" >/imports/main \
 && go list -C "$main" -e -deps -f '{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}' >/imports/imports \
 && for file in go.mod go.sum vendor; do if [ -e $file ]; then cp -r $file /imports/src/; fi; done

FROM modules AS build
COPY --from=imports /imports /
RUN go build $(go list -e -f '{{if .GoFiles}}{{.ImportPath}}{{end}}' $(cat /imports)) || true
COPY . .
ARG FILES
ARG LDFLAGS
RUN mkdir /image && if [ -n "$FILES" ]; then tar -cf /files $FILES && tar -xf /files -C /image && chmod -R u=rwX,go=rX /image; fi \
 && mkdir -m 1777 /image/tmp && [ ! -e /image/server ] || { echo "FILES=$FILES: want paths of the context, except server and tmp" >&2; exit 1; } \
 && go build -C "$(cat /main)" -v -ldflags "-s -w -buildid= $LDFLAGS" -o /out/ && mv /out/* /image/server && find /image -exec touch -hd @0 {} +

# Without ENTRYPOINT, Heroku starts the command through /bin/sh, which is not here; without CMD, it refuses the release. It ignores USER.
FROM scratch
COPY --from=build /image /
USER 10001:10001
ENTRYPOINT ["/server"]
CMD ["web"]
