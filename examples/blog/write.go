package blog

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// Writer goes on using the blog: mostly new comments, some edits, renames, new
// posts, publishing, and deletions. Each write is a transaction of its own.
type Writer struct {
	Pool        *pgxpool.Pool
	Rate        int    // writes a second, over all connections
	Connections int    // writing at the same time; 0: 8
	Seed        uint64 // of what is written; the times are real
	Spared      string // key of a user who is left alone, and so are the posts; empty: none
	// Wrote, when set, is called after each commit, from several goroutines.
	Wrote func(Write)
}

// Write is a committed write.
type Write struct {
	Kind string // "comment", "edit", …
	// Comment and Content are set for new and edited comments.
	Comment string // key
	Content string
	At      time.Time // when its COMMIT returned
}

// Run writes until ctx ends, and then returns nil, or until a write fails.
// When the database cannot keep up, the rate falls; nothing piles up.
func (w Writer) Run(ctx context.Context) error {
	if w.Rate <= 0 {
		<-ctx.Done()
		return nil
	}
	b, err := readBlog(ctx, w.Pool, w.Seed, w.Spared)
	if err != nil {
		return err
	}
	connections := w.Connections
	if connections <= 0 {
		connections = 8
	}
	due := make(chan struct{}, connections)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.pace(ctx, due) })
	for i := range connections {
		rng := rand.New(rand.NewPCG(w.Seed, uint64(i)+1))
		group.Go(func() error { return w.work(ctx, due, newAuthor(b, rng)) })
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return group.Wait()
}

// pace makes writes due, a few at each tick.
func (w Writer) pace(ctx context.Context, due chan<- struct{}) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	start, made := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		want := int(time.Since(start).Seconds() * float64(w.Rate))
		for ; made < want; made++ {
			select {
			case due <- struct{}{}:
			default: // all are busy: this one is never made
			}
		}
	}
}

func (w Writer) work(ctx context.Context, due <-chan struct{}, a *author) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		}
		write, err := a.write(ctx, w.Pool)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("write to the blog: %s: %w", write.Kind, err)
		}
		if w.Wrote != nil {
			write.At = time.Now()
			w.Wrote(write)
		}
	}
}

// shelf is what writers choose from; they share it.
type shelf struct {
	users, posts []id
	words        *vocabulary

	mu       sync.Mutex
	comments []id
	fresh    []id // posts that writers made: the only ones they delete
}

func readBlog(ctx context.Context, pool *pgxpool.Pool, seed uint64, spared string) (*shelf, error) {
	s := &shelf{words: newVocabulary(seed)}
	for _, t := range []struct {
		ids *[]id
		sql string
	}{
		{&s.users, "SELECT id FROM tb_user WHERE id::text <> $1 ORDER BY id"},
		{&s.posts, "SELECT p.id FROM tb_post p LEFT JOIN tb_comment c ON c.post_id = p.id WHERE p.author_id::text <> $1 GROUP BY p.id ORDER BY count(c.id) DESC, p.id"},
		{&s.comments, "SELECT id FROM tb_comment WHERE author_id::text <> $1 ORDER BY id"},
	} {
		if err := readIDs(ctx, pool, t.sql, spared, t.ids); err != nil {
			return nil, fmt.Errorf("read the blog's keys: %w", err)
		}
	}
	if len(s.users) == 0 || len(s.posts) == 0 {
		return nil, fmt.Errorf("the blog has no users or no posts to write about")
	}
	return s, nil
}

func readIDs(ctx context.Context, pool *pgxpool.Pool, sql, spared string, into *[]id) error {
	rows, err := pool.Query(ctx, sql, spared)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v [16]byte
		if err := rows.Scan(&v); err != nil {
			return err
		}
		*into = append(*into, v)
	}
	return rows.Err()
}

func (s *shelf) addComment(v id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comments = append(s.comments, v)
}

// someComment returns a comment, and takes it off the shelf if asked to.
func (s *shelf) someComment(rng *rand.Rand, take bool) (id, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.comments) == 0 {
		return id{}, false
	}
	i := rng.IntN(len(s.comments))
	v := s.comments[i]
	if take {
		last := len(s.comments) - 1
		s.comments[i] = s.comments[last]
		s.comments = s.comments[:last]
	}
	return v, true
}

func (s *shelf) addPost(v id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, v)
}

func (s *shelf) takePost() (id, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fresh) == 0 {
		return id{}, false
	}
	v := s.fresh[0]
	s.fresh = s.fresh[1:]
	return v, true
}

// String is the UUID as Postgres writes it.
func (v id) String() string {
	h := hex.EncodeToString(v[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
