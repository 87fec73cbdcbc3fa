package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"

	"go.uber.org/zap"
)

// apiTLSFlags are those of every command whose API others reach.
type apiTLSFlags struct {
	TLSCert string `name:"tls-cert" help:"PEM file of the certificate, with its chain, to serve the API over TLS (1.2 or later, HTTP/2). It is read again when it changes. Goes with --tls-key." placeholder:"FILE"`
	TLSKey  string `name:"tls-key" help:"PEM file of the private key of --tls-cert." placeholder:"FILE"`
}

// adminTLSFlags are those of every command whose status others reach.
type adminTLSFlags struct {
	AdminTLSCert string `name:"admin-tls-cert" help:"The same for the address of --admin. Goes with --admin-tls-key." placeholder:"FILE"`
	AdminTLSKey  string `name:"admin-tls-key" help:"PEM file of the private key of --admin-tls-cert." placeholder:"FILE"`
}

// encrypt reads the certificates that the flags name; without any, the
// addresses are served in the clear.
func (s *service) encrypt(api *apiTLSFlags, admin *adminTLSFlags) (err error) {
	if api != nil {
		if s.apiTLS, err = s.certificate(tlsFile{"tls-cert", api.TLSCert}, tlsFile{"tls-key", api.TLSKey}); err != nil {
			return err
		}
	}
	s.adminTLS, err = s.certificate(tlsFile{"admin-tls-cert", admin.AdminTLSCert}, tlsFile{"admin-tls-key", admin.AdminTLSKey})
	return err
}

func (s *service) certificate(cert, key tlsFile) (*certificate, error) {
	switch {
	case cert.path == "" && key.path == "":
		return nil, nil
	case key.path == "":
		return nil, usagef("name its private key with --"+key.flag, "--%s without --%s", cert.flag, key.flag)
	case cert.path == "":
		return nil, usagef("name its certificate with --"+cert.flag, "--%s without --%s", key.flag, cert.flag)
	}
	return loadCertificate(cert, key, s.log.Named("tls"))
}

// secured makes a server one over TLS, where it has a certificate. What net/http
// says of connections that fail goes to the log, where it is not in the way.
func secured(server *http.Server, c *certificate, log *zap.Logger) {
	if log != nil {
		if quiet, err := zap.NewStdLogAt(log.Named("http"), zap.DebugLevel); err == nil {
			server.ErrorLog = quiet
		}
	}
	if c != nil {
		server.TLSConfig = c.config()
	}
}

// scheme is that of the URLs which are served with a certificate, or without.
func scheme(c *certificate) string {
	if c == nil {
		return "http://"
	}
	return "https://"
}

// pinned trusts the certificate of a file alone, whatever name it is for: a
// server that is asked at its own machine's address has no name there.
func pinned(path string) (*tls.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("check --admin-tls-cert", "read the file of --admin-tls-cert: %s", err)
	}
	block := firstBlock(text, func(kind string) bool { return kind == "CERTIFICATE" })
	if block == nil {
		return nil, usagef("name the server's own --admin-tls-cert", "--admin-tls-cert: %s holds no certificate in PEM form", path)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection:   func(state tls.ConnectionState) error { return samePeer(state.PeerCertificates, block) },
	}, nil
}

var errOtherCertificate = errors.New("what answers has another certificate than that of --admin-tls-cert")

func samePeer(have []*x509.Certificate, want *pem.Block) error {
	if len(have) == 0 || !bytes.Equal(have[0].Raw, want.Bytes) {
		return errOtherCertificate
	}
	return nil
}

// client asks a server's --admin, over TLS where its certificate is named.
func (c *healthCmd) client() (*http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if c.AdminTLSCert != "" {
		config, err := pinned(c.AdminTLSCert)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = config
	}
	return &http.Client{Transport: transport}, nil
}
