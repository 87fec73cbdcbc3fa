// Package soak proves a projector by force: seeded random transactions of
// every kind from several writers, a projector process that is killed at
// random moments, and an oracle that says what every document must be.
//
// What a run holds the projector to:
//
//   - at rest, and many times during the run (writers paused, watermark
//     awaited), every tv_* row and every typed column equals the oracle;
//   - under load, readers never see a torn transaction: the sum of all
//     balances is constant, each wallet's document agrees with itself, twin
//     counters are equal, versions never go backwards;
//   - under load, the watermark tells the truth: once it has passed the LSN
//     of a writer's commit, that writer's change is in the documents;
//   - every document that changed is announced in sync_log;
//   - nothing is quarantined, and the projector never stops by itself.
//
// A run is replayable by its seed: each writer draws its transactions from its
// own generator, whatever their outcome; only the interleaving is the
// scheduler's. Postgres must use the C collation.
package soak
