// Package faults holds the tests that break what lies between the projector
// and its database, and the projector's own process, in every way that is known
// to hurt: connections that are cut, swallowed, slowed and refused; a server
// that restarts, fast or as by a crash; a process that is killed, or frozen and
// thawed; a slot that somebody else holds, or that cannot be made; two
// projectors that both want to lead; a clock that is set back; a stop at any
// step.
//
// Each of them asserts three things: that afterwards no document is wrong or
// missing (every one is compared with its definition, on one snapshot); that
// the operator was told what happened, in the words that docs/operations.md
// explains; and that the projector went on, or ended, within a bounded time.
//
// The tests with a random part print their seed where they fail. More rounds of
// them: go test ./projector/faults -faults.rounds 100 -faults.seed 1
package faults
