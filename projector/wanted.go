package projector

import (
	"encoding/json"
	"strings"

	"freshet/projector/apply"
)

// wantPrefix begins the logical message by which a reader asks for documents
// that a fan-out has not come to yet: a JSON object follows, the keys by read
// model.
const wantPrefix = "want "

// want notes the documents that a message asks for. The message has come by
// when the watermark passes it, and so have the documents; those that no
// fan-out has put off are right as they are. Anybody may write to the WAL: what
// is not a want, or names no read model of ours, asks for nothing.
func (l *loop) want(message string) {
	text, ok := strings.CutPrefix(message, wantPrefix)
	if !ok {
		return
	}
	var keys map[string][]string
	if json.Unmarshal([]byte(text), &keys) != nil {
		return
	}
	for model, list := range keys {
		if !l.fanOuts.lagging(model) {
			continue
		}
		for _, key := range list {
			l.wanted = append(l.wanted, apply.PendingKey{Model: model, Key: key})
		}
	}
}
