package main

import (
	"context"
	"math"
	"runtime/debug"
	rm "runtime/metrics"
	"time"
)

// memoryPeriod is how often the limit of the process's memory is reviewed.
const memoryPeriod = 500 * time.Millisecond

// memoryPart keeps the memory of the process near what its cache may hold. Left
// alone, Go's collector lets the heap grow to twice what lives on it, and a full
// cache would take twice its limit. The limit set here is a soft one, and gives
// way to whatever else the process needs: see memoryLimit. Whoever sets
// GOMEMLIMIT knows better. held is what the cache holds.
func (a *app) memoryPart(cacheBytes int64, held func() int64) part {
	return part{name: "watch over memory", run: func(ctx context.Context) error {
		if cacheBytes <= 0 || a.Getenv("GOMEMLIMIT") != "" {
			<-ctx.Done()
			return nil
		}
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
		tick := time.NewTicker(memoryPeriod)
		defer tick.Stop()
		for {
			debug.SetMemoryLimit(memoryLimit(cacheBytes, liveHeap()-held()))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	}}
}

// memoryLimit is what the process may take, where other is what lives on its
// heap beside the cache: the cache's own bytes, a tenth of them for what lies
// idle between them, and as much for the rest as it would have without a limit,
// so that the collector never works for nothing.
func memoryLimit(cacheBytes, other int64) int64 {
	rest := max(32<<20, 2*other+16<<20)
	if cacheBytes > math.MaxInt64/2-rest {
		return math.MaxInt64
	}
	return cacheBytes + cacheBytes/10 + rest
}

// liveHeap is what the last collection found alive.
func liveHeap() int64 {
	sample := []rm.Sample{{Name: "/gc/heap/live:bytes"}}
	rm.Read(sample)
	if sample[0].Value.Kind() != rm.KindUint64 {
		return 0 // an unknown name: it has gone from the runtime
	}
	return int64(min(sample[0].Value.Uint64(), math.MaxInt64))
}
