package projector

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"freshet/projector/apply"
)

// wantPrefix begins the logical message by which a reader asks for documents
// that a fan-out has not come to yet: a JSON object follows, the keys by read
// model.
const wantPrefix = "want "

// want notes the documents that a message asks for. The message has come by
// when the watermark passes it, and so have the documents; those that no
// fan-out has put off are right as they are. Anybody may write to the WAL: what
// is not a want, names no read model of ours, or cannot be one of its keys, asks
// for nothing.
func (l *loop) want(message string) {
	text, ok := strings.CutPrefix(message, wantPrefix)
	if !ok {
		return
	}
	var keys map[string][]string
	if json.Unmarshal([]byte(text), &keys) != nil {
		return
	}
	for _, model := range l.plan.ReadModels {
		if !l.fanOuts.lagging(model.Name) {
			continue
		}
		for _, key := range keys[model.Name] {
			if possible(model.Key.Base, key) {
				l.wanted = append(l.wanted, apply.PendingKey{Model: model.Name, Key: key})
			}
		}
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// intBits are the sizes of the integers that a key may be.
var intBits = map[string]int{"int2": 16, "int4": 32, "int8": 64}

// possible says whether a text can be a key of a type, in the form that Postgres
// writes: any other would fail its batch, and be set aside for good.
func possible(base, key string) bool {
	if bits := intBits[base]; bits > 0 {
		n, err := strconv.ParseInt(key, 10, bits)
		return err == nil && strconv.FormatInt(n, 10) == key
	}
	if base == "uuid" {
		return uuid.MatchString(key)
	}
	return utf8.ValidString(key) && !strings.ContainsRune(key, 0)
}
