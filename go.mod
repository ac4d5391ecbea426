module heroku-go-example

go 1.26.0

toolchain go1.27.4

require (
	github.com/gorilla/mux v1.8.1
	github.com/heroku/x v0.5.3
	golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d
)
