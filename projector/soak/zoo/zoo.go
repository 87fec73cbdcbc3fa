// Package zoo is a schema and a model that together hold one of each kind: the
// relations, key types, column types, constraints and identifiers that a
// projector must cope with. Differential tests run on it.
package zoo

import _ "embed"

// Schema creates the source tables.
//
//go:embed schema.sql
var Schema string

// Model is the model file over them.
//
//go:embed model.graphql
var Model string

// ModelFile is the name under which Model is known in diagnostics.
const ModelFile = "zoo/model.graphql"
