// Package trials puts an engine through the failures that logical replication
// is known for, one by one, and holds it to its promises in each.
//
// Every test injects one failure at the level of Postgres (a crash, a
// promotion, a lost slot, a lock, a full disk, a row that has no document) and
// then holds the engine to three things: no document is wrong or missing, by
// an oracle that shares no code with it; what was committed before the failure
// is still served during it; and the operator is told what happened and what
// mends it. docs/failures.md lists the failures, and which test proves what.
//
// The tests run in a minute or two. With -trials.full the large ones take the
// sizes that an evening has time for:
//
//	go test ./projector/trials -trials.full -timeout 60m
//
// Random failures under random load are package soak's.
package trials
