// Package identity says who asks: the roles and claims that requests are
// answered by.
//
// Guarantees: an Identity is not changed once made, so that it can be shared
// by requests; and a request without one is nobody's, which has no role and no
// claim. The package is pure.
package identity

import (
	"context"
	"slices"
	"time"
)

// Identity is who asks. It is not changed.
type Identity struct {
	// Roles are what rules of the model file ask for.
	Roles []string
	// Claims are those of the token, as encoding/json decodes them with numbers
	// as json.Number; nil without a token.
	Claims map[string]any
	// Expires is when the token ends; zero: never.
	Expires time.Time
	// Key names what answers can depend on: two identities with the same key are
	// answered alike. It is a hash, and tells nothing of the token.
	Key [32]byte
}

// nobody is who sends no token.
var nobody = &Identity{}

// Nobody is the identity of requests without a token.
func Nobody() *Identity { return nobody }

// Has says whether the identity has one of the roles.
func (id *Identity) Has(roles []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(id.Roles, role) })
}

// Claim returns the claim at a path, or nil.
func (id *Identity) Claim(path []string) any {
	var v any = id.Claims
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

type contextKey struct{}

// With returns a context of requests by id.
func With(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From returns who asks in a context.
func From(ctx context.Context) *Identity {
	if id, ok := ctx.Value(contextKey{}).(*Identity); ok {
		return id
	}
	return nobody
}
