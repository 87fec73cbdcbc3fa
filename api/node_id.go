package api

import (
	"encoding/base64"
	"strings"
)

// A global id is base64url of the type's name, a colon and the key.

var nodeIDs = base64.RawURLEncoding.Strict()

func appendNodeID(out []byte, typeName, key string) []byte {
	return nodeIDs.AppendEncode(out, []byte(typeName+":"+key))
}

// splitNodeID takes a global id apart.
func splitNodeID(id string) (typeName, key string, ok bool) {
	raw, err := nodeIDs.DecodeString(id)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(raw), ":")
}
