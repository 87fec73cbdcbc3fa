package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// selfMade makes a certificate for 127.0.0.1 with a serial number, and its key,
// as PEM.
func selfMade(t *testing.T, serial int64, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "freshet test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// pairFiles are the paths of a certificate and a key in a directory of their own.
type pairFiles struct{ cert, key string }

func newPairFiles(t *testing.T, cert, key []byte) pairFiles {
	t.Helper()
	dir := t.TempDir()
	f := pairFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	replace(t, f.cert, cert)
	replace(t, f.key, key)
	return f
}

// replace puts a file in the place of another, as tools that renew
// certificates do.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// serveTLS serves a handler with the files' certificate, which is looked at
// for each connection, and returns its address and log.
func serveTLS(t *testing.T, f pairFiles, h http.Handler) (addr string, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	c, err := loadCertificate(tlsFile{"tls-cert", f.cert}, tlsFile{"tls-key", f.key}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	c.interval = 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	p := httpPart("test", l, h, c, zap.New(core))
	go func() { done <- p.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), logs
}

// fetch gets a URL on a connection of its own, trusting the certificates given.
func fetch(t *testing.T, url string, config *tls.Config) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func trusting(t *testing.T, certs ...[]byte) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	for _, c := range certs {
		if !pool.AppendCertsFromPEM(c) {
			t.Fatal("no certificate")
		}
	}
	return &tls.Config{RootCAs: pool}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func TestTLSServes(t *testing.T) {
	cert, key := selfMade(t, 1, time.Now().Add(time.Hour))
	addr, _ := serveTLS(t, newPairFiles(t, cert, key), hello)
	res, body, err := fetch(t, "https://"+addr, trusting(t, cert))
	if err != nil || body != "hello" || res.ProtoMajor != 2 || res.TLS.Version < tls.VersionTLS12 {
		t.Fatalf("%v %v %q", err, res, body)
	}
	old := trusting(t, cert)
	old.MaxVersion, old.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	if _, _, err := fetch(t, "https://"+addr, old); err == nil {
		t.Error("a client of TLS 1.1 was served")
	}
	old.MaxVersion = tls.VersionTLS12
	if res, _, err := fetch(t, "https://"+addr, old); err != nil || res.TLS.Version != tls.VersionTLS12 {
		t.Errorf("a client of TLS 1.2: %v", err)
	}
	if _, _, err := fetch(t, "https://"+addr, &tls.Config{}); err == nil {
		t.Error("the self-made certificate is trusted by all")
	}
	if res, body, err := fetch(t, "http://"+addr, nil); err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("a request in the clear: %v %s", err, body)
	}
}

// TestTLSRenewed renews the files one after the other: every connection is
// served, with the old certificate until both belong to the new one.
func TestTLSRenewed(t *testing.T) {
	cert1, key1 := selfMade(t, 1, time.Now().Add(time.Hour))
	cert2, key2 := selfMade(t, 2, time.Now().Add(-time.Minute))
	cert3, key3 := selfMade(t, 3, time.Now().Add(time.Hour))
	f := newPairFiles(t, cert1, key1)
	addr, logs := serveTLS(t, f, hello)
	serial := func() int64 {
		t.Helper()
		config := trusting(t, cert1, cert2, cert3)
		config.Time = func() time.Time { return time.Now().Add(-30 * time.Minute) } // the second has expired
		res, _, err := fetch(t, "https://"+addr, config)
		if err != nil {
			t.Fatal(err)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	for _, step := range []struct {
		path string
		text []byte
		want int64
	}{
		{f.cert, cert1, 1}, {f.cert, cert2, 1}, {f.cert, cert2, 1}, {f.key, key2, 2}, {f.key, key3, 2}, {f.cert, cert3, 3}, {f.key, nil, 3}, {f.key, key3, 3},
	} {
		replace(t, step.path, step.text)
		if got := serial(); got != step.want {
			t.Fatalf("certificate %d is served, want %d", got, step.want)
		}
	}
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Fatalf("without a file certificate %d is served", got)
	}
	for message, want := range map[string]int{
		"the changed certificate cannot be used; the old one is served on": 4, // each cause once
		"the TLS certificate has expired: clients will refuse it":          1,
	} {
		if got := logs.FilterMessage(message).Len(); got != want {
			t.Errorf("%q is logged %d times, want %d: %v", message, got, want, logs.All())
		}
	}
	for _, e := range logs.All() {
		if text, _ := json.Marshal(e.ContextMap()); strings.Contains(string(text), "PRIVATE") {
			t.Errorf("the log shows a key: %s", text)
		}
	}
}

// TestTLSInterval: the files are looked at once in a while, and not for each
// connection.
func TestTLSInterval(t *testing.T) {
	cert1, key1 := selfMade(t, 1, time.Now().Add(time.Hour))
	cert2, key2 := selfMade(t, 2, time.Now().Add(time.Hour))
	f := newPairFiles(t, cert1, key1)
	c, err := loadCertificate(tlsFile{"tls-cert", f.cert}, tlsFile{"tls-key", f.key}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	now := c.checked
	replace(t, f.cert, cert2)
	replace(t, f.key, key2)
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{{reloadInterval - 1, 1}, {reloadInterval, 2}} {
		if got := c.current(now.Add(step.after)).Leaf.SerialNumber.Int64(); got != step.want {
			t.Errorf("after %s it is certificate %d, want %d", step.after, got, step.want)
		}
	}
}

func TestTLSFaults(t *testing.T) {
	cert, key := selfMade(t, 1, time.Now().Add(time.Hour))
	_, other := selfMade(t, 2, time.Now().Add(time.Hour))
	sealed := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	broken := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	wrong := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
	good := newPairFiles(t, cert, key)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"--tls-cert", good.cert}, []string{"--tls-cert without --tls-key"}},
		{[]string{"--tls-key", good.key}, []string{"--tls-key without --tls-cert"}},
		{[]string{"--admin-tls-cert", good.cert}, []string{"--admin-tls-key"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", good.key + "x"}, []string{"--tls-key", "no such file"}},
		{[]string{"--tls-cert", filepath.Dir(good.cert), "--tls-key", good.key}, []string{"--tls-cert", "is a directory"}},
		{[]string{"--tls-cert", good.key, "--tls-key", good.key}, []string{"--tls-cert", "holds no certificate"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", good.cert}, []string{"--tls-key", "holds no private key"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", write(t, "k", string(other))}, []string{"is not that of the certificate", "--tls-cert", "--tls-key"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", write(t, "k", string(sealed))}, []string{"passphrase", "openssl pkey"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", write(t, "k", string(broken))}, []string{"--tls-key", "cannot be used"}},
		{[]string{"--tls-cert", write(t, "c", string(wrong)), "--tls-key", good.key}, []string{"--tls-cert", "cannot be read"}},
		{[]string{"--tls-cert", good.cert, "--tls-key", good.key, "--admin-tls-cert", good.cert, "--admin-tls-key", write(t, "k", string(other))}, []string{"--admin-tls-key"}},
	} {
		r := freshet(t, append([]string{"run", "--database-url=postgres://x@127.0.0.1:1/x"}, c.args...)...)
		for _, text := range c.says {
			if r.code != exitUsage || !strings.Contains(r.errors, text) {
				t.Errorf("%v: exit code %d, and it should say %q:\n%s", c.args, r.code, text, r.errors)
			}
		}
	}
	r := expect(t, exitOK, "", "config", "--json", "run", "--tls-cert", good.cert, "--tls-key", good.key)
	if got := from(t, r.out, "tls-cert"); got.Value != good.cert || got.From != "flag" {
		t.Errorf("freshet config shows %+v", got)
	}
}

// TestHealthTLS asks an encrypted status, which has no name that fits the
// address, and trusts nothing but its own certificate.
func TestHealthTLS(t *testing.T) {
	cert, key := selfMade(t, 1, time.Now().Add(time.Hour))
	other, _ := selfMade(t, 2, time.Now().Add(time.Hour))
	f := newPairFiles(t, cert, key)
	addr, _ := serveTLS(t, f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "asked "+r.URL.Path) }))
	if r := freshet(t, "health", "--admin", addr, "--admin-tls-cert", f.cert); r.code != exitOK || !strings.Contains(r.out, "asked /healthz") {
		t.Errorf("exit code %d: %s%s", r.code, r.out, r.errors)
	}
	for _, args := range [][]string{{"--admin", addr}, {"--admin", "https://" + addr}, {"--admin", addr, "--admin-tls-cert", write(t, "c", string(other))}} {
		if r := freshet(t, append([]string{"health"}, args...)...); r.code != exitFound {
			t.Errorf("%v: exit code %d: %s%s", args, r.code, r.out, r.errors)
		}
	}
	if err := samePeer(nil, nil); !errors.Is(err, errOtherCertificate) {
		t.Errorf("a peer without a certificate: %v", err)
	}
	expect(t, exitUsage, "--admin-tls-cert", "health", "--admin", addr, "--admin-tls-cert", "none.pem")
}

// TestRunTLS queries a running freshet over HTTP/2 and TLS.
func TestRunTLS(t *testing.T) {
	url, path := blogDatabase(t)
	cert, key := selfMade(t, 1, time.Now().Add(time.Hour))
	f := newPairFiles(t, cert, key)
	p := begin(t, "run", "--database-url="+url, "--model="+path, "--migrate", "--listen", "127.0.0.1:0", "--tls-cert", f.cert, "--tls-key", f.key)
	res, body, err := fetch(t, "https://"+p.addr["graphql"]+"/", trusting(t, cert))
	if err != nil || res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || !strings.Contains(body, "GraphiQL") {
		t.Fatalf("GraphiQL: %v\n%s", err, body)
	}
	transport := &http.Transport{TLSClientConfig: trusting(t, cert), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Post("https://"+p.addr["graphql"]+"/graphql", "application/json", strings.NewReader(`{"query":"{ posts(first: 1) { totalCount } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.ProtoMajor != 2 || string(text) != `{"data":{"posts":{"totalCount":50}}}` {
		t.Errorf("over %s: %s", answer.Proto, text)
	}
	if !strings.Contains(p.errs.String(), "https://"+p.addr["graphql"]+"/graphql") {
		t.Errorf("the log does not say where it serves:\n%s", p.errs)
	}
}
