package api

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The answers are those of graphql-js 16, byte for byte. The cases of a corpus
// that was made with it are compared always; `make conformance` makes new ones
// and asks graphql-js itself. What differs by intent, and is left out of the
// comparison:
//
//   - an answer with the code BAD_INPUT: what an argument means is Freshet's own;
//   - cursors: each stands for its order's values, which are compared;
//   - a null for a variable of @skip or @include, which is an error of the request
//     here; operations that the schema does not have are one, too;
//   - definitions of types in a query document, which are not read here;
//   - variables as a document has them: a number of more than 53 bits stays as it
//     was sent.

const (
	corpusFile    = "testdata/graphqljs/corpus.jsonl.gz"
	corpusSeed    = 16
	casesPerWorld = 40
)

// post sends a case, and returns the answer with its cursors laid open.
func (c conformanceCase) post(tb testing.TB, s http.Handler) string {
	body := compactJSON(map[string]any{"query": c.Query, "variables": c.Variables, "operationName": c.Operation})
	r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return openCursors(w.Body.String())
}

var cursorText = regexp.MustCompile(`"[A-Za-z0-9_-]{24,}"`)

func openCursors(answer string) string {
	return cursorText.ReplaceAllStringFunc(answer, func(text string) string {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Trim(text, `"`))
		if err != nil || len(raw) < 18 || raw[16] != '[' || !json.Valid(raw[16:]) {
			return text
		}
		return string(appendText(nil, "cursor:"+string(raw[16:])))
	})
}

// leftOut are answers that differ by intent.
var leftOut = regexp.MustCompile(`"code":"BAD_INPUT"|Unexpected Name \\"(type|schema|scalar|interface|union|enum|input|directive|extend)\\"`)

// generate makes worlds with cases, as lines for the reference, and returns
// them in the same order.
func generate(tb testing.TB, seed uint64, cases int) (worlds []jsWorld, all [][]conformanceCase) {
	for n := 0; n < cases; n += casesPerWorld {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		w := (&worldMaker{r: r}).world(tb)
		s := serverOf(tb, w)
		g := &caseMaker{r: r, world: w, server: s, schema: s.Schema()}
		var some []conformanceCase
		for len(some) < casesPerWorld {
			c := g.make()
			if !leftOut.MatchString(c.post(tb, s)) {
				some = append(some, c)
			}
		}
		worlds, all = append(worlds, w), append(all, some)
	}
	return worlds, all
}

// reference asks graphql-js, and fills in what it wants.
func reference(tb testing.TB, worlds []jsWorld, all [][]conformanceCase) {
	var in bytes.Buffer
	for i, w := range worlds {
		in.Write(compactJSON(map[string]any{"world": w}))
		in.WriteByte('\n')
		for _, c := range all[i] {
			in.Write(append(compactJSON(c), '\n'))
		}
	}
	cmd := exec.Command("node", "--stack-size=4000", "reference.cjs")
	cmd.Dir, cmd.Stdin, cmd.Stderr = "testdata/graphqljs", &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("ask graphql-js (npm ci in api/testdata/graphqljs, or make conformance): %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i := range all {
		for j := range all[i] {
			all[i][j].Want, lines = lines[0], lines[1:]
		}
	}
}

// compare checks the cases of one world.
func compareAnswers(t *testing.T, w jsWorld, cases []conformanceCase) (differ int) {
	s := serverOf(t, w)
	for _, c := range cases {
		got := c.post(t, s)
		if got == c.Want {
			continue
		}
		if differ++; differ <= 3 {
			t.Errorf("differs from graphql-js:\n%s\nvariables %s, operation %q\ngot  %s\nwant %s\nmodel:\n%s", c.Query, compactJSON(c.Variables), c.Operation, got, c.Want, w.Model)
		}
	}
	return differ
}

// TestConformance compares with the corpus. With -update, and node with
// graphql-js, it makes the corpus anew.
func TestConformance(t *testing.T) {
	if *update {
		worlds, all := generate(t, corpusSeed, 3000)
		reference(t, worlds, all)
		writeCorpus(t, worlds, all)
	}
	worlds, all := readCorpus(t)
	cases, differ := 0, 0
	for i, w := range worlds {
		cases += len(all[i])
		differ += compareAnswers(t, w, all[i])
	}
	if cases < 1000 {
		t.Errorf("the corpus has %d cases: that is not all of it", cases)
	}
	t.Logf("%d cases in %d schemas, %d differ", cases, len(worlds), differ)
}

// TestConformanceLive compares fresh cases with graphql-js itself: as many as
// FRESHET_CONFORMANCE says, made of the seed behind a colon.
func TestConformanceLive(t *testing.T) {
	count, seed, _ := strings.Cut(os.Getenv("FRESHET_CONFORMANCE"), ":")
	if count == "" {
		t.Skip("make conformance runs it; the corpus of TestConformance is compared always")
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatalf("FRESHET_CONFORMANCE is a number of cases: %v", err)
	}
	from, _ := strconv.ParseUint(seed, 10, 64)
	if seed == "" {
		from = rand.Uint64N(1 << 32)
	}
	differ, errors := 0, 0
	for at := 0; at < n; at += 2000 {
		worlds, all := generate(t, from+uint64(at), min(2000, n-at))
		reference(t, worlds, all)
		for i, w := range worlds {
			differ += compareAnswers(t, w, all[i])
			for _, c := range all[i] {
				if strings.HasPrefix(c.Want, `{"errors"`) {
					errors++
				}
			}
		}
		if differ > 20 {
			break
		}
	}
	t.Logf("%d cases from the seed %d, %d of them with errors: %d differ", n, from, errors, differ)
}

func writeCorpus(t *testing.T, worlds []jsWorld, all [][]conformanceCase) {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one of its own
	for i, w := range worlds {
		fmt.Fprintf(z, "%s\n", compactJSON(map[string]any{"world": w}))
		for _, c := range all[i] {
			fmt.Fprintf(z, "%s\n", compactJSON(c))
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(corpusFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readCorpus(t *testing.T) (worlds []jsWorld, all [][]conformanceCase) {
	f, err := os.Open(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			World *jsWorld
			conformanceCase
		}
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.World != nil {
			worlds, all = append(worlds, *line.World), append(all, nil)
			continue
		}
		all[len(all)-1] = append(all[len(all)-1], line.conformanceCase)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return worlds, all
}
