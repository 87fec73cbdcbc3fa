// Package oracle computes, from the source tables alone, what every document
// of a model must be, and compares the tv_* tables with it.
//
// It is the other opinion of the differential tests: it knows the model
// (package model) and asks Postgres for plain rows, and shares no code with
// the compiler or the projector. Relations, filters, orders, limits and
// aggregates are evaluated in memory; Postgres evaluates only the SQL that the
// model file itself contains (@computed and where), one row at a time.
//
// Guarantees: source rows and tv_* rows are read under one REPEATABLE READ
// snapshot; every difference names the read model, the key and the path
// within the document; nothing is written.
//
// Limits: texts are ordered by their bytes, so databases under test must use
// the C collation; sums of floats are compared with a relative tolerance of
// 1e-12, averages likewise, because their last digits depend on the order of
// addition.
package oracle
