// Package graph is the schema, as gqlgen makes it of schema.graphql, and its
// resolvers.
package graph

import "github.com/jackc/pgx/v5/pgxpool"

// Resolver resolves the fields that are not columns.
type Resolver struct{ Pool *pgxpool.Pool }
