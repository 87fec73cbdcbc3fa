package cache

import (
	"fmt"
	"sync/atomic"
	"testing"
)

const benchKeys = 50_000

func benchCache(b *testing.B) (*Cache[[]byte], []string) {
	c := New(Options[[]byte]{Bytes: 256 << 20, Cost: func(v []byte) int { return cap(v) }})
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)
		c.Put(c.Begin(), "Post", keys[i], make([]byte, 64), 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return c, keys
}

func BenchmarkGetHit(b *testing.B) {
	c, keys := benchCache(b)
	for i := range b.N {
		if _, s := c.Get("Post", keys[i*7919%benchKeys]); s != Present {
			b.Fatal("a miss")
		}
	}
}

func BenchmarkGetHitParallel(b *testing.B) {
	c, keys := benchCache(b)
	var seed atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		i := int(seed.Add(1)) * 31
		for pb.Next() {
			i += 7919
			if _, s := c.Get("Post", keys[i%benchKeys]); s != Present {
				b.Fatal("a miss")
			}
		}
	})
}

// A working set that fits the CPU's caches: what Get itself costs. The larger
// set above measures the memory.
func BenchmarkGetWarmParallel(b *testing.B) {
	c, keys := benchCache(b)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c.Get("Post", keys[i%1000])
		}
	})
}

// Most reads fall on few documents.
func BenchmarkGetHotParallel(b *testing.B) {
	c, keys := benchCache(b)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c.Get("Post", keys[i%20])
		}
	})
}

func BenchmarkGetMiss(b *testing.B) {
	c, _ := benchCache(b)
	for range b.N {
		c.Get("Post", "nobody")
	}
}

func BenchmarkFetchHit20(b *testing.B) {
	c, keys := benchCache(b)
	req := Request{Model: "Post", Keys: keys[:20]}
	for range b.N {
		if _, err := c.Fetch(b.Context(), req, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvalidate(b *testing.B) {
	c, keys := benchCache(b)
	for i := range b.N {
		c.Invalidate("Post", keys[i%benchKeys:][:1], lsn(i))
	}
}
