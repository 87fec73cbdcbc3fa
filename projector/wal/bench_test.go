package wal

import (
	"testing"

	"github.com/jackc/pglogrepl"
)

// A post of the blog example.
var post = msg('I').u32(16384).u8('N').row(
	"5f3b1f0e-8a51-4a3c-9f0e-2b7f3d0c9a11", "0d6c3c5a-4f7e-4f55-a6c5-51b2b2f5b3d2",
	"Ten things about rivers", "A freshet is a rush of fresh water that swells a stream, in spring most of all.",
	"t", "2024-01-02 03:04:05.123456+00")

func BenchmarkDecodeInsert(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(post)))
	for b.Loop() {
		if _, err := Decode(post); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeUpdateFull(b *testing.B) {
	data := msg('U').u32(16384).u8('O')
	data = append(data, post[6:]...)
	data = append(data, post[5:]...)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

// What a row costs by pglogrepl's own decoder, to compare.
func BenchmarkPglogreplInsert(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pglogrepl.Parse(post); err != nil {
			b.Fatal(err)
		}
	}
}
