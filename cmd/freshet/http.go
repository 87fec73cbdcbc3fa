package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// listen opens an address before anything is started, so that one that is
// taken is a fault of the start.
func (a *app) listen(name, flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &explained{
			message: fmt.Sprintf("cannot listen on %s: %s", addr, innermost(err)),
			remedy:  fmt.Sprintf("choose another address with --%s HOST:PORT; port 0 takes a free one", flag),
			cause:   err,
		}
	}
	if a.Listening != nil {
		a.Listening(name, l.Addr().String())
	}
	return l, nil
}

// httpPart serves until its context ends; then it takes no new requests, and
// waits for those under way. With a certificate it serves over TLS.
func httpPart(name string, l net.Listener, h http.Handler, c *certificate, log *zap.Logger) part {
	return part{name: name, run: func(ctx context.Context) error {
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
		secured(server, c, log)
		endStreams(server, h)
		served := make(chan error, 1)
		go func() { served <- serveOn(server, l) }()
		select {
		case err := <-served:
			return fmt.Errorf("serve %s: %w", name, err)
		case <-ctx.Done():
		}
		err := drain(server)
		if s := <-served; !errors.Is(s, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", name, s)
		}
		return err
	}}
}

// serveOn serves a listener, over TLS where the server has a configuration.
func serveOn(server *http.Server, l net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}

// drain gives requests under way half of the grace, and then ends them.
func drain(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace/2)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
