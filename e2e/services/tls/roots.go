//go:build roots

package main

import _ "golang.org/x/crypto/x509roots/fallback" // For images without root certificates.
