package stream

import (
	"context"
	"testing"
	"time"
)

// BenchmarkDelivery is the time from before a COMMIT is sent until its
// transaction is in the consumer's hands; "behind" is what of it comes after
// the COMMIT was answered.
func BenchmarkDelivery(b *testing.B) {
	s := newSource(b).ready()
	f := s.follow(s.config())
	ctx := context.Background()
	var behind time.Duration
	i := 0
	for b.Loop() {
		i++
		if _, err := s.conn.Exec(ctx, "INSERT INTO tb_post VALUES ($1)", i); err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		f.next()
		behind += time.Since(committed)
	}
	b.ReportMetric(float64(behind.Microseconds())/float64(b.N), "µs-behind/op")
}

// BenchmarkBacklog reads a backlog of one transaction with many rows.
func BenchmarkBacklog(b *testing.B) {
	s := newSource(b).ready()
	const rows = 500_000
	s.exec("INSERT INTO tb_post SELECT i, 'title', md5(i::text), 'draft' FROM generate_series(1, 500000) i")
	for b.Loop() {
		f := s.follow(s.config())
		f.next()
		f.stop()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
