// Package api serves the documents of a model over GraphQL.
//
// Guarantees:
//
//   - An answer is what graphql-js gives for the same data: order of keys,
//     merged fields, aliases, null propagation, paths of errors.
//   - It is at least as fresh as the LSN in its Freshet-LSN header, and as the
//     request asks for, or an error says why not.
//   - A list is one SQL statement; documents by key are read from the cache,
//     or with one statement for each type and level: never one for each object.
//   - No value becomes part of an SQL text, and no error shows a client more
//     than it needs: the whole of it goes to Config.OnError.
//
// How a request runs: a transport (transport.go, request.go) takes it apart,
// unless any page could have sent it (preflight.go); a query that is named
// rather than sent is found (persisted.go); the request waits for its turn
// (gate.go); the query's text finds its parsed and validated form (query.go),
// which holds a plan for each way that @skip and @include can turn out
// (compile.go, plan.go), and whose cost is bounded (cost.go). A run (run.go)
// waits for the freshness asked for (consistency.go), reads the documents that
// the plan needs (read.go, read_keys.go), level by level (stitch.go), and then
// writes the answer by copying bytes out of them (write.go).
//
// A subscription goes the same way and is then handed to api/live, which has it
// answered again when what it depends on has changed (subscribe.go, live_query.go,
// depends.go, only.go). It comes over a WebSocket (sockets.go, api/live/socket) or
// as an event stream (events.go).
//
// GraphiQL is bundled (graphiql.go) and needs nothing but the server itself.
//
// api/served derives the schema, api/page the SQL of lists, and api/document
// prepares documents; they are pure.
//
// The package imports model and cache, never the projector.
package api
