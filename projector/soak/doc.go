// Package soak proves a projector by force: seeded random transactions of
// every kind from several writers, a projector process and a server to which
// everything happens that happens in the field, and an oracle that says what
// every document must be.
//
// What a run holds the projector to:
//
//   - at rest, and many times during the run (writers paused, everything
//     complete), every tv_* row and every typed column equals the oracle;
//   - under load, readers never see a torn transaction: the sum of all
//     balances is constant, each wallet's document agrees with itself, twin
//     counters are equal, what is embedded equals what it was embedded from
//     unless freshet.lag says otherwise, versions never go backwards;
//   - under load, the watermarks tell the truth: once one has passed the LSN of
//     a writer's commit, that writer's change is in the documents it speaks of,
//     and a document that was asked for has come;
//   - complete is never beyond the watermark, neither goes back, and the slot is
//     never told more than what is applied, over a crash of the server too;
//   - every document that changed is announced in sync_log;
//   - what cannot be built is quarantined, nothing else is, and it is built
//     once it is mended;
//   - the projector never stops by itself.
//
// # Running it longer
//
//	make soak SOAK=1h SOAKFLAGS='-soak.rate 150 -soak.faults all,-crash'
//
// All flags begin with -soak: seed, writers, rate (transactions a second of all
// writers), faults (kinds, "net", "all", "none", or -kind to leave one out),
// every (between two faults), hold (the longest freeze), check (between two
// comparisons of all documents), fanout (the limit), memory (MB at which it
// fails), trace (directory). A line tells every ten seconds how far it is; the
// summary counts transactions, faults of each kind, documents compared and
// divergences. Postgres must use the C collation.
//
// # When it finds something
//
// A divergence ends the run. It prints the seed and the flags, the first
// documents that differ and where, what sync_log knows of them, the
// transactions that named their keys, and a trace file: the source tables as
// they were at the last comparison that was clean, and every transaction and
// fault since. This runs the trace again in a new database, and where it
// diverges again looks for the shortest part of it that does:
//
//	make soak-replay TRACE=/tmp/soak-7-120000.trace
//	make soak-replay TRACE=… SOAKFLAGS='-soak.together'    # with as many writers as there were
//
// The seed alone replays what each writer does: each draws its transactions
// from its own generator, whatever their outcome. Only the interleaving is the
// scheduler's.
package soak
