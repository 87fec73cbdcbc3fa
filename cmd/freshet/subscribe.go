package main

import (
	"net/http"
	"time"

	"freshet/api"
)

// liveFlags are those of subscriptions.
type liveFlags struct {
	MaxSubscriptions int           `help:"Subscriptions at once; one more is refused." default:"20000"`
	MaxConnections   int           `help:"WebSockets and event streams at once; one more is refused." default:"20000"`
	MaxOperations    int           `help:"Operations at once on one WebSocket." default:"100"`
	MaxMessage       int64         `help:"Bytes of a client's message on a WebSocket." default:"131072"`
	InitTimeout      time.Duration `help:"How long a client may take to begin on a WebSocket." default:"10s"`
	KeepAlive        time.Duration `help:"Time between signs of life on WebSockets and event streams; a client that has not answered by the next one is dropped." default:"20s"`
}

// set puts the flags into a configuration.
func (f *liveFlags) set(c *api.Config) {
	c.MaxSubscriptions, c.MaxConnections, c.MaxOperations = f.MaxSubscriptions, f.MaxConnections, f.MaxOperations
	c.MaxMessage, c.InitTimeout, c.KeepAlive = f.MaxMessage, f.InitTimeout, f.KeepAlive
}

// endStreams has a server that is shut down end the streams of a handler first:
// it would wait for them.
func endStreams(server *http.Server, h http.Handler) {
	if s, ok := h.(interface{ EndSubscriptions() }); ok {
		server.RegisterOnShutdown(s.EndSubscriptions)
	}
}
