package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// A request may name its query instead of sending it: by the id of a trusted
// document, in documentId; or by its SHA-256, as automatic persisted queries
// do in extensions.persistedQuery.

// hashPrefix marks a documentId that is a hash.
const hashPrefix = "sha256:"

// document finds the query's text, where it is not sent or must be known.
func (s *Server) document(x *exchange) *refusal {
	if len(x.ext) > 0 {
		if refused := x.persisted(); refused != nil {
			return refused
		}
	}
	id := string(x.docID)
	if id == "" && x.hash != "" {
		id = x.hash
	}
	switch {
	case id == "" && len(x.text) == 0:
		return malformed("The request has no query.")
	case len(x.text) > 0:
		return s.sent(x)
	}
	text, ok := s.known(id)
	if !ok {
		return &refusal{http.StatusNotFound, []*gqlerror.Error{coded(codeNotFound, "PersistedQueryNotFound")}}
	}
	x.hash = ""
	x.text = append(x.text, text...)
	return nil
}

// sent looks at a query that was sent as text.
func (s *Server) sent(x *exchange) *refusal {
	if !s.cfg.DocumentsOnly && x.hash == "" {
		return nil
	}
	hash := hashOf(x.text)
	if s.cfg.DocumentsOnly && !s.trusted[hash] {
		return &refusal{http.StatusForbidden, []*gqlerror.Error{coded(codeUntrusted, "This query is not one of those that this server trusts.")}}
	}
	if x.hash != "" && x.hash != hash {
		return refuse(http.StatusBadRequest, "provided sha does not match query")
	}
	return nil
}

// known returns the text of a query by an id or a hash.
func (s *Server) known(id string) (string, bool) {
	hash := strings.TrimPrefix(id, hashPrefix)
	for _, name := range []string{id, hash, hashPrefix + hash} {
		if text, ok := s.cfg.Documents[name]; ok {
			return text, true
		}
	}
	if s.cfg.DocumentsOnly {
		return "", false
	}
	return s.apq.get(hash)
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// persisted reads extensions.persistedQuery.
func (x *exchange) persisted() *refusal {
	var entry, version, hash []byte
	if members(x.ext, func(name, value []byte) {
		if string(name) == "persistedQuery" {
			entry = value
		}
	}) != nil {
		return malformed("extensions must be a JSON object.")
	}
	if entry == nil {
		return nil
	}
	if members(entry, func(name, value []byte) {
		switch string(name) {
		case "version":
			version = value
		case "sha256Hash":
			hash = value
		}
	}) != nil || string(version) != "1" || len(hash) != 66 || hash[0] != '"' {
		return malformed("extensions.persistedQuery must have version 1 and a sha256Hash.")
	}
	x.hash = strings.ToLower(string(hash[1:65]))
	return nil
}

// apq keeps the texts of automatic persisted queries, bounded in bytes: whoever
// sends ever new ones only pushes out others. Clients send what is gone again.
type apq struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[string, string]
	bytes int
	limit int // 0: none is kept
}

func newAPQ(limit int) *apq {
	a := &apq{limit: limit}
	lru, err := simplelru.NewLRU(max(1, limit/128), func(_, text string) { a.bytes -= len(text) + 128 })
	if err != nil {
		panic("the size is positive: " + err.Error())
	}
	a.lru = lru
	return a
}

func (a *apq) get(hash string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lru.Get(hash)
}

// add takes a valid query in. The text must not change.
func (a *apq) add(hash, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(text)+128 > a.limit || a.lru.Contains(hash) {
		return
	}
	a.lru.Add(hash, text)
	a.bytes += len(text) + 128
	for a.bytes > a.limit {
		a.lru.RemoveOldest()
	}
}

// ParseDocuments reads a file of trusted documents: a JSON object of ids and
// queries, as Relay and GraphQL Code Generator write it, or Apollo's persisted
// query manifest. Every one of them must be GraphQL.
func ParseDocuments(data []byte) (map[string]string, error) {
	docs, err := readDocuments(data)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, errors.New("the file of trusted documents has none")
	}
	for id, text := range docs {
		if _, err := parser.ParseQuery(&ast.Source{Input: text}); err != nil {
			return nil, fmt.Errorf("the trusted document %s: %w", id, err)
		}
	}
	return docs, nil
}

func readDocuments(data []byte) (map[string]string, error) {
	var manifest struct {
		Format     string `json:"format"`
		Version    int    `json:"version"`
		Operations []struct{ ID, Body string }
	}
	err := json.Unmarshal(data, &manifest)
	if err == nil && manifest.Format == "apollo-persisted-query-manifest" {
		docs := map[string]string{}
		for _, op := range manifest.Operations {
			docs[op.ID] = op.Body
		}
		return docs, nil
	}
	docs := map[string]string{}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&docs); err != nil {
		return nil, fmt.Errorf("a file of trusted documents is a JSON object of ids and queries, or a persisted query manifest: %w", err)
	}
	return docs, nil
}

// trustedHashes are the hashes of the texts of documents.
func trustedHashes(docs map[string]string) map[string]bool {
	hashes := make(map[string]bool, len(docs))
	for _, text := range docs {
		hashes[hashOf([]byte(text))] = true
	}
	return hashes
}
