package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"freshet/deploy/pgserver/pgtest"
	"freshet/examples/blog"
)

// hotPosts are enough for a fan-out that takes longer than a few requests.
const hotPosts = 30_000

// TestReadsDuringAFanOut renames an author of very many posts, and reads them
// while the new name is on its way to all of them.
func TestReadsDuringAFanOut(t *testing.T) {
	url := pgtest.Database(t)
	conn := pgtest.Connect(t, url)
	pgtest.Exec(t, url, blog.Schema)
	if err := blog.Load(t.Context(), conn, blog.Size{Users: 20, Posts: hotPosts, Comments: 100}, 1); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, fmt.Sprintf("INSERT INTO tb_user (id, username, full_name) VALUES ('%s', 'ann', 'Ann 0'); UPDATE tb_post SET author_id = '%[1]s'", ann))
	p := begin(t, "run", "--database-url="+url, "--model="+write(t, "model.graphql", blog.Model), "--migrate", "--listen", "127.0.0.1:0", "--fan-out-limit=100")
	posts := postKeys(t, conn)

	during, behind := 0, 0
	for i := 1; i < 20 && (during < 5 || behind < 2); i++ {
		name := fmt.Sprintf("Ann %d", i)
		pgtest.Exec(t, url, fmt.Sprintf("UPDATE tb_user SET full_name = '%s' WHERE id = '%s'", name, ann))
		var at string
		if err := conn.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&at); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			fresh := []string{"Freshet-Consistency", "strong", "Freshet-Min-LSN", at}[n%2*2:][:2]
			body, lsn := request(t, p.addr["graphql"], postQuery(posts), fresh...)
			if !strings.Contains(body, name) || lsn < parseLSN(t, at) {
				t.Fatalf("%v: %s at %s, after a commit at %s", fresh, body, lsn, at)
			}
			during += underWay(t, conn)
			// Whoever asks for nothing is told what he has.
			if body, lsn = request(t, p.addr["graphql"], postQuery(posts)); !strings.Contains(body, name) {
				if behind++; lsn >= parseLSN(t, at) {
					t.Fatalf("%s at %s, after a commit at %s", body, lsn, at)
				}
			}
		}
		body, lsn := request(t, p.addr["graphql"], `{ posts(first: 1, orderBy: [{createdAt: ASC}]) { nodes { author { fullName } } } }`, "Freshet-Min-LSN", at)
		if !strings.Contains(body, name) || lsn < parseLSN(t, at) {
			t.Fatalf("list: %s at %s, after a commit at %s", body, lsn, at)
		}
	}
	t.Logf("%d reads were answered during a fan-out, %d showed what was before", during, behind)
	if during == 0 || behind == 0 {
		t.Errorf("nothing was tested: %d reads were answered during a fan-out, %d showed what was before", during, behind)
	}
}

func postKeys(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT id::text FROM tb_post")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func postQuery(keys []string) string {
	return fmt.Sprintf(`{ post(id: "%s") { author { fullName } } }`, keys[rand.IntN(len(keys))])
}

// underWay counts 1 if there is a fan-out.
func underWay(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM freshet.lag").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func parseLSN(t *testing.T, text string) pglogrepl.LSN {
	t.Helper()
	lsn, err := pglogrepl.ParseLSN(text)
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// request posts a query with headers, and returns the answer and its LSN.
func request(t *testing.T, addr, query string, headers ...string) (string, pglogrepl.LSN) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %v: %s, %v: %s", query, headers, res.Status, err, answer)
	}
	return string(answer), parseLSN(t, res.Header.Get("Freshet-LSN"))
}
