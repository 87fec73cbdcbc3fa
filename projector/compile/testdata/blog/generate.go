package blog

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// epoch is when the blog began, and span how long it went on: fixed, so that
// the data are the same on every day.
var epoch = time.Date(2022, time.January, 1, 0, 0, 0, 0, time.UTC)

const span = 3 * 365 * 24 * time.Hour

type id [16]byte

// generator makes rows in order; each table has random numbers of its own.
type generator struct {
	size  Size
	rng   *rand.Rand
	words *vocabulary
	users []id
	posts []id
	born  []time.Time // of the posts
	hot   *rand.Zipf
}

func newGenerator(size Size, seed uint64) *generator {
	rng := rand.New(rand.NewPCG(seed, 0x66726573686574))
	g := &generator{size: size, rng: rng, words: newVocabulary(seed)}
	g.users, g.posts = ids(rng, size.Users), ids(rng, size.Posts)
	g.born = make([]time.Time, size.Posts)
	for i := range g.born {
		g.born[i] = g.moment(epoch, span)
	}
	g.hot = popularity(rng, size.Posts)
	return g
}

// popularity yields indexes of posts, the first ones far more often: of 50,000
// posts the first 500 get two thirds of the comments, the first one 2 %.
func popularity(rng *rand.Rand, posts int) *rand.Zipf {
	return rand.NewZipf(rng, 1.2, 10, uint64(posts-1))
}

func ids(rng *rand.Rand, n int) []id {
	all := make([]id, n)
	for i := range all {
		all[i] = newID(rng)
	}
	return all
}

// newID is a random UUID, version 4.
func newID(rng *rand.Rand) id {
	var v id
	for i := 0; i < 16; i += 8 {
		n := rng.Uint64()
		for j := range 8 {
			v[i+j] = byte(n >> (8 * j))
		}
	}
	v[6] = v[6]&0x0f | 0x40
	v[8] = v[8]&0x3f | 0x80
	return v
}

func (g *generator) moment(from time.Time, within time.Duration) time.Time {
	return from.Add(time.Duration(g.rng.Int64N(int64(within)))).Truncate(time.Microsecond)
}

// table is what COPY needs of one table.
type table struct {
	name    string
	columns []string
	rows    int
	row     func(i int) []any
}

// next returns a source for COPY: each call yields a row, and nil at the end.
func (t table) next() func() ([]any, error) {
	i := -1
	return func() ([]any, error) {
		if i++; i == t.rows {
			return nil, nil
		}
		return t.row(i), nil
	}
}

func (g *generator) tables() []table {
	return []table{
		{"tb_user", []string{"id", "username", "full_name", "created_at"}, g.size.Users, g.user},
		{"tb_post", []string{"id", "author_id", "title", "content", "published", "created_at"}, g.size.Posts, g.post},
		{"tb_comment", []string{"id", "post_id", "author_id", "content", "created_at"}, g.size.Comments, g.comment},
	}
}

func (g *generator) user(i int) []any {
	first, last := g.words.first(g.rng), g.words.last(g.rng)
	username := strings.ToLower(first) + "_" + strings.ToLower(last) + strconv.Itoa(i)
	var full any = first + " " + last
	if g.rng.IntN(20) == 0 {
		full = nil // some never say
	}
	return []any{[16]byte(g.users[i]), username, full, g.moment(epoch, span)}
}

func (g *generator) post(i int) []any {
	author := g.users[g.rng.IntN(len(g.users))]
	return []any{[16]byte(g.posts[i]), [16]byte(author), g.words.title(g.rng), g.words.text(g.rng, 4, 8),
		g.rng.IntN(10) > 0, g.born[i]}
}

func (g *generator) comment(int) []any {
	post := int(g.hot.Uint64())
	author := g.users[g.rng.IntN(len(g.users))]
	return []any{[16]byte(newID(g.rng)), [16]byte(g.posts[post]), [16]byte(author), g.words.text(g.rng, 1, 2),
		g.moment(g.born[post], 90*24*time.Hour)}
}
