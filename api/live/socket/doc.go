// Package socket speaks the GraphQL over WebSocket protocol, known by its
// subprotocol graphql-transport-ws, on the server's side.
//
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
//
// Guarantees: a connection that breaks a rule of the protocol is closed with
// the code that it has for that; messages of one operation come in order, and
// none after its complete or error; nothing is queued for a slow client but
// what its operations hold themselves; a client that does not answer pings, or
// does not read, is dropped; and Serve returns only when all that it started
// has ended.
//
// An idle connection costs one goroutine: others run only while there is
// something to write.
package socket
