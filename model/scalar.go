package model

import "slices"

// standardScalars are those that GraphQL itself defines.
var standardScalars = []string{"ID", "String", "Int", "Float", "Boolean"}

// CustomScalars returns the names of the scalars that Freshet adds to
// GraphQL's own, in the Prelude's order.
func CustomScalars() []string { return slices.Clone(known.scalars) }

// IsScalar says whether fields may have the type of that name as a scalar,
// GraphQL's own or Freshet's. Enums are not scalars.
func IsScalar(name string) bool {
	return slices.Contains(standardScalars, name) || slices.Contains(known.scalars, name)
}

// otherNames are what people coming from elsewhere call a scalar.
var otherNames = map[string]string{
	"Integer": "Int", "Long": "BigInt", "Int64": "BigInt", "Bigint": "BigInt", "Int8": "BigInt",
	"Numeric": "Decimal", "BigDecimal": "Decimal", "Money": "Decimal", "Double": "Float", "Real": "Float",
	"Bool": "Boolean", "Text": "String", "Varchar": "String", "Timestamp": "DateTime", "Timestamptz": "DateTime",
	"Datetime": "DateTime", "Interval": "Duration", "Json": "JSON", "Jsonb": "JSON", "JSONObject": "JSON",
	"Bytea": "Bytes", "Blob": "Bytes", "Base64": "Bytes", "Uuid": "UUID", "GUID": "UUID",
}

// sortable says whether a value of the type has an order and a B-tree: what
// orderBy, indexes and lookups need.
func (r TypeRef) sortable() bool {
	return !r.List && r.Name != "JSON" && r.Name != "Bytes"
}

// extremes says whether Postgres has min and max for the type in every
// supported version. It has none for uuid, and an ID may be one.
func (r TypeRef) extremes() bool {
	return r.sortable() && !slices.Contains([]string{"ID", "UUID", "Boolean"}, r.Name)
}

// keyTypes are the types that a document's key may have.
var keyTypes = []string{"ID", "UUID", "String", "Int", "BigInt"}

// sumType and avgType give the result's type for each type that has one.
var (
	sumType = map[string]string{"Int": "BigInt", "BigInt": "Decimal", "Decimal": "Decimal", "Float": "Float"}
	avgType = map[string]string{"Int": "Float", "Float": "Float", "BigInt": "Decimal", "Decimal": "Decimal"}
)
