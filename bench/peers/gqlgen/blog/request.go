package blog

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
)

type loadersKey struct{}

// WithLoaders gives each request loaders of its own.
func WithLoaders(pool *pgxpool.Pool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), loadersKey{}, NewLoaders(pool))))
	})
}

// Of returns the loaders of the request.
func Of(ctx context.Context) *Loaders {
	return ctx.Value(loadersKey{}).(*Loaders)
}
