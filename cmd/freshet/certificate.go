package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// certificate is a TLS certificate in files, which may be renewed at any time:
// it is read again when one of them has changed. Nothing watches them; new
// connections ask, and at most one each interval looks. While the files do not
// go together, as in the middle of a renewal, the old certificate is served.
type certificate struct {
	cert, key tlsFile
	log       *zap.Logger
	interval  time.Duration

	mu      sync.Mutex
	served  *tls.Certificate
	read    [2]os.FileInfo // the files as they were read
	failed  string         // the last failure, told once
	checked time.Time
}

// tlsFile is a file and the flag that names it.
type tlsFile struct{ flag, path string }

// reloadInterval is how often the files are looked at, at most.
const reloadInterval = time.Second

// loadCertificate reads the files for the first time. Its errors say which of
// them is wrong, and what to do.
func loadCertificate(cert, key tlsFile, log *zap.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log, interval: reloadInterval}
	if err := c.load(time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// config is for a server whose certificate this is.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(time.Now()), nil },
	}
}

// current is the certificate for a connection that begins now.
func (c *certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < c.interval {
		return c.served
	}
	c.checked = now
	if !c.changed() {
		return c.served
	}
	if err := c.load(now); err == nil {
		c.failed = ""
	} else if text := oneLine(err); text != c.failed {
		c.failed = text
		c.log.Error("the changed certificate cannot be used; the old one is served on", zap.String("error", text))
	}
	return c.served
}

// changed says whether one of the files is not the one that was read.
func (c *certificate) changed() bool {
	for i, path := range []string{c.cert.path, c.key.path} {
		now, err := os.Stat(path)
		if err != nil {
			return true
		}
		was := c.read[i]
		if !os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size() {
			return true
		}
	}
	return false
}

// load reads both files. They may change meanwhile: what is noted of them is
// older than what is read, so that a later change is never overlooked.
func (c *certificate) load(now time.Time) error {
	var noted [2]os.FileInfo
	var texts [2][]byte
	for i, f := range []tlsFile{c.cert, c.key} {
		var err error
		if noted[i], err = os.Stat(f.path); err == nil {
			texts[i], err = os.ReadFile(f.path)
		}
		if err != nil {
			return usagef("check --"+f.flag, "read the file of --%s: %s", f.flag, err)
		}
	}
	pair, err := c.pair(texts[0], texts[1])
	if err != nil {
		return err
	}
	c.served, c.read, c.checked = pair, noted, now
	c.tell(pair.Leaf, now)
	return nil
}

// pair puts certificate and key together, and says which is at fault.
func (c *certificate) pair(cert, key []byte) (*tls.Certificate, error) {
	if fault := certificateFault(cert); fault != "" {
		return nil, usagef("name a PEM file with the certificate, and the chain behind it", "--%s: %s %s", c.cert.flag, c.cert.path, fault)
	}
	if fault, remedy := keyFault(key); fault != "" {
		return nil, usagef(remedy, "--%s: %s %s", c.key.flag, c.key.path, fault)
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return &pair, nil
	case strings.Contains(err.Error(), "does not match"):
		return nil, usagef("name the key that the certificate was made for", "the private key in %s (--%s) is not that of the certificate in %s (--%s)", c.key.path, c.key.flag, c.cert.path, c.cert.flag)
	}
	return nil, usagef("name the PEM file of an RSA, ECDSA or Ed25519 key", "--%s: %s cannot be used: %s", c.key.flag, c.key.path, strings.TrimPrefix(err.Error(), "tls: "))
}

// certificateFault says what keeps a text from being certificates, if anything.
func certificateFault(text []byte) string {
	block := firstBlock(text, func(kind string) bool { return kind == "CERTIFICATE" })
	if block == nil {
		return "holds no certificate in PEM form"
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Sprintf("holds a certificate that cannot be read: %s", err)
	}
	return ""
}

// keyFault says what keeps a text from being a private key, if anything.
func keyFault(text []byte) (fault, remedy string) {
	block := firstBlock(text, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
	switch {
	case block == nil:
		return "holds no private key in PEM form", "name the PEM file of the certificate's private key"
	case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return "holds a private key with a passphrase", "write it without one: openssl pkey -in KEY -out NEWKEY; and let nobody else read that file"
	}
	return "", ""
}

// firstBlock is the first PEM block of a kind, or nil.
func firstBlock(text []byte, wanted func(kind string) bool) *pem.Block {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil || wanted(block.Type) {
			return block
		}
	}
}

// tell logs which certificate is served from now on.
func (c *certificate) tell(leaf *x509.Certificate, now time.Time) {
	about := []zap.Field{zap.String("file", c.cert.path), zap.Strings("names", namesOf(leaf)), zap.Time("expires", leaf.NotAfter)}
	switch {
	case now.After(leaf.NotAfter):
		c.log.Warn("the TLS certificate has expired: clients will refuse it", about...)
	case now.Before(leaf.NotBefore):
		c.log.Warn("the TLS certificate is not valid yet: clients will refuse it", append(about, zap.Time("from", leaf.NotBefore))...)
	default:
		c.log.Info("read the TLS certificate", about...)
	}
}

// namesOf are the names and addresses that a certificate is for.
func namesOf(leaf *x509.Certificate) []string {
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
