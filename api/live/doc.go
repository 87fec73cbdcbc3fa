// Package live keeps the answers of queries up to date for those who subscribe
// to them.
//
// Guarantees:
//
//   - A subscriber gets the whole answer at first, and again whenever its bytes
//     have changed; never twice the same, and nothing when what has changed
//     does not show in it.
//   - A query is evaluated again only when a row of the change feed touches
//     what its last answer depended on: documents by key, those that are absent
//     and those stitched in included, and pages of lists. What a batch costs is
//     in proportion to the queries that it touches, not to all.
//   - Nothing is lost between an evaluation and the note of what it depended
//     on: changes that come meanwhile are held against it.
//   - Whoever asks the same shares one evaluation, and only so many run at once.
//   - No queue grows with a slow subscriber: the newest answer alone waits for it.
//   - The LSNs that one subscriber is told never go down, but when the feed has
//     started over on another history.
//   - A failed evaluation ends nothing: it is tried again, with a growing pause,
//     until it succeeds or nobody waits for it any more.
//
// The package knows neither GraphQL nor HTTP: a Query yields bytes and says what
// they depend on.
package live
