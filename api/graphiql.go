package api

import (
	"embed"
	"encoding/hex"
	"hash/fnv"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// GraphiQL and React, as their packages have them built: see
// graphiql/LICENSES.txt. page.html and start.js are Freshet's own.
//
//go:embed graphiql
var graphiqlFiles embed.FS

// graphiql serves GraphiQL, which needs nothing but this server: its files
// have their contents' hash in their names, so that browsers keep them.
type graphiql struct {
	page  []byte
	files map[string][]byte // by name with the hash
}

func newGraphiQL() *graphiql {
	g := &graphiql{files: map[string][]byte{}}
	page := g.read("page.html")
	entries, err := fs.ReadDir(graphiqlFiles, "graphiql")
	if err != nil {
		panic("the embedded files can be listed: " + err.Error())
	}
	for _, e := range entries {
		if e.Name() == "page.html" {
			continue
		}
		data := g.read(e.Name())
		hashed := hashedName(e.Name(), data)
		g.files[hashed] = data
		page = []byte(strings.ReplaceAll(string(page), `"graphiql/`+e.Name()+`"`, `"graphiql/`+hashed+`"`))
	}
	g.page = page
	return g
}

func (g *graphiql) read(name string) []byte {
	data, err := graphiqlFiles.ReadFile("graphiql/" + name)
	if err != nil {
		panic("the embedded files can be read: " + err.Error())
	}
	return data
}

// hashedName puts a hash of the contents before a name's ending.
func hashedName(name string, data []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(data) // never fails
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(h.Sum(nil)) + ext
}

// graphiqlPolicy lets the page load what this server has and nothing else.
// Styles: GraphiQL's components write some into the page.
const graphiqlPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func (g *graphiql) servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", graphiqlPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(g.page)
}

var graphiqlTypes = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8"}

func (g *graphiql) serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, ok := g.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", graphiqlTypes[path.Ext(name)])
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data)
}
