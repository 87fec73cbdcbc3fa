// Package cache keeps prepared documents close to the API and keeps them right.
//
// What it guarantees:
//
//   - A cached answer is never staler than the watermark it is served under.
//     The watermark of a [Feed] advances only after every invalidation at or
//     below it is done; so "wait until the watermark reaches an LSN, then read
//     through the cache" is right by construction.
//   - What lags behind the watermark is told with it: a large change is applied
//     to its documents bit by bit while the watermark moves on, and a read
//     model that is paused or being filled stands still ([Feed.Lags]). Each bit is invalidated like any
//     other change, so a cached document is always the one that the database
//     has, as of the watermark. A reader that needs more waits for the models
//     ([Feed.WaitModels]), or wants the documents ([Marker.Want]).
//   - A fill that read older data than the last invalidation of its key is not
//     stored (the classic stale set), and nobody joins a fill that an
//     invalidation of its key has overtaken.
//   - A page of a list ([Pages]) is right at each position between its own and
//     the feed's: it is forgotten by a change of a column that it depends on, by
//     one that inserts or deletes a document of its model, and by no other. It
//     answers together with documents only if it is right at the position that
//     each of them was read at, so that none is shown that the list's filter
//     does not hold for, and none at a wrong place. Each document may be younger
//     than the page in what the list does not depend on. This leans on the log
//     naming every change of documents: while a model is filled again it does
//     not, and then a caller leaves its pages alone.
//   - A load in flight is joined; while a few of a model are under way, further
//     keys of any requests gather for one load together, and what they are
//     answered with is younger than their asking. A key that is at fault fails
//     nobody but those who asked for it.
//   - Memory is bounded in bytes; the stamps that decide on fills are a fixed
//     array, and are never evicted.
//   - A lost connection of the feed loses nothing: it reads on from its last
//     row of freshet.sync_log, and where that was trimmed meanwhile, everything
//     is forgotten.
//
// What it asks for: the loads given to a [Cache] read the same Postgres server
// as the [Feed], not a standby of it, and read the watermark of
// freshet.checkpoint in the very statement or snapshot that reads the
// documents; and no batch has a lower watermark than the one before. Two
// batches may have the same; their numbers, which rise with each, tell them
// apart where they are read along ([Position]).
//
// A usual wiring:
//
//	feed, err := cache.NewFeed(cache.FeedConfig{Connect: connect, Slot: "freshet"})
//	docs := cache.New(cache.Options[Document]{Bytes: 64 << 20, Cost: Document.Size, Watermark: feed.Watermark})
//	feed.Attach(docs)
//	go feed.Run(ctx)                     // by an owner that waits for it
//
// and a read:
//
//	if minLSN > 0 { err = feed.Wait(ctx, minLSN) }
//	fresh, _ := feed.Fresh()
//	res, err := docs.Fetch(ctx, cache.Request{Model: "Post", Keys: keys, MinLSN: minLSN, Bypass: !fresh}, load)
package cache
