package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type healthCmd struct {
	Admin        string        `help:"Where the server's --admin is: an address or a URL." default:"127.0.0.1:9090" placeholder:"URL"`
	AdminTLSCert string        `name:"admin-tls-cert" help:"The server's --admin-tls-cert: ask over TLS, and trust this certificate alone." placeholder:"FILE"`
	Ready        bool          `help:"Ask whether it is ready for requests, not only whether it is alive." env:"-"`
	Timeout      time.Duration `help:"How long an answer may take." default:"5s" env:"-"`
}

// Help is shown by --help.
func (c *healthCmd) Help() string {
	return `Asks a running freshet how it is, for images without a shell. Exit code 0: well; 1: not.

  HEALTHCHECK CMD ["freshet", "health"]

It goes by FRESHET_ADMIN and FRESHET_ADMIN_TLS_CERT as the server does. Without --ready it asks /healthz: a
projector that fills its tables for an hour is alive, and not ready.`
}

// Run asks once.
func (c *healthCmd) Run(ctx context.Context, a *app) error {
	base, err := adminURL(c.Admin, c.AdminTLSCert != "")
	if err != nil {
		return err
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return usagef("give --admin HOST:PORT or http://HOST:PORT", "%s cannot be asked", c.Admin)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return &explained{message: fmt.Sprintf("no answer from %s: %s", base+path, innermost(err)), remedy: "is it running, and is --admin its address?", cause: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", base+path, err)
	}
	a.printf("%s\n", strings.TrimSpace(string(text)))
	if res.StatusCode != http.StatusOK {
		return errFound
	}
	return nil
}

// adminURL makes a server's --admin an address to ask: where it listens on all
// addresses this machine's own is as good as any.
func adminURL(admin string, encrypted bool) (string, error) {
	if strings.Contains(admin, "://") {
		u, err := url.Parse(admin)
		if err != nil || u.Host == "" {
			return "", usagef("give --admin HOST:PORT or http://HOST:PORT", "%q is not a URL", admin)
		}
		return strings.TrimRight(u.String(), "/"), nil
	}
	host, port, err := net.SplitHostPort(admin)
	if err != nil {
		return "", usagef("give --admin HOST:PORT or http://HOST:PORT", "%q is not an address", admin)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	kind := "http://"
	if encrypted {
		kind = "https://"
	}
	return kind + net.JoinHostPort(host, port), nil
}
