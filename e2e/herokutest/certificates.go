package herokutest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// certificates is where docker with the containerd image store looks for the registry's authority, and podman, buildah and
// skopeo do. Docker's other store takes any certificate of a loopback address.
const certificates = "/etc/docker/certs.d/registry." + Host

// makeCertificate makes the certificate of all Names, which is its own authority, and writes it to CAFile and certificates.
func (h *Heroku) makeCertificate() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "herokutest"},
		DNSNames:              Names(),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(h.CAFile(), text, 0o600); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(certificates, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(certificates, "ca.crt"), text, 0o644); err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}
