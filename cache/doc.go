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
// batches may have the same.
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
