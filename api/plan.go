package api

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"freshet/api/page"
	"freshet/api/served"
)

// plan is a compiled operation under one outcome of its @skip and @include.
// It is immutable.
type plan struct {
	roots []rootField
	worst int // its cost with the largest pages: see cost.go
}

// place is where a field stands in query and schema: what errors tell of it.
type place struct {
	name      string // the response key
	key       []byte // the response key as a JSON member: `"name":`
	parent    string // the type
	field     string
	locations []gqlerror.Location
}

// rootField is a field of Query.
type rootField struct {
	place
	kind     rootKind
	root     *served.Root
	args     ast.ArgumentList
	argDefs  ast.ArgumentDefinitionList
	required []*ast.Argument             // variables that must not be null there
	sel      *selection                  // documents
	node     map[*served.Type]*selection // a document of any type
	list     *connection                 // lists
	asked    *askedOnce                  // lists without variables
	meta     *metaSelection
	typename []byte
}

type rootKind uint8

const (
	rootTypename rootKind = iota
	rootSchema
	rootType
	rootByKey
	rootByUnique
	rootList
	rootByKeys
	rootPlain
	rootNode
)

// nonNull says whether the field may not be null.
func (k rootKind) nonNull() bool { return k == rootList || k == rootByKeys || k == rootPlain }

// selection is what is taken of the objects of one type at one place.
type selection struct {
	typ      *served.Type
	typename []byte // as JSON
	fields   []field
	// load: the objects at this place hold too little for the selection, so
	// that the whole document is loaded by their key, in slot keySlot; the
	// fields are then those of the whole document.
	load    bool
	keySlot int
	cost    int // of one object: see cost.go
	// stitches: something below this place, or itself, is loaded.
	stitches bool
}

// field is one field of a selection.
type field struct {
	place
	kind        fieldKind
	nonNull     bool
	elemNonNull bool
	slot        int
	enum        served.Enum
	enumName    string
	sub         *selection
	choices     []choice // of @firstOf, in the place of sub
	times       int      // how often sub may occur
}

type fieldKind uint8

const (
	fieldLeaf   fieldKind = iota
	fieldEnum             // a value that must be one of an enum's
	fieldLeaves           // a list of values, to be looked at one by one
	fieldOne              // an object
	fieldMany             // a list of objects
	fieldTypename
	fieldMissing // not part of the documents
	fieldNodeID
	fieldFirstOf // an object of one of several relations
)

// connection is what is taken of a list.
type connection struct {
	name          string // of the connection type
	fields        []connField
	documents     bool // documents are needed, not keys alone
	count         bool
	pageInfo      bool
	cursors       bool
	stitches      bool
	aggregates    []page.Aggregate
	cost, rowCost int // of the list as a whole, and of each row: see cost.go
}

type connField struct {
	place
	kind      connKind
	edges     []edgeField
	info      []infoField
	sel       *selection
	aggregate *aggregate
	text      []byte
}

type connKind uint8

const (
	connTypename connKind = iota
	connEdges
	connNodes
	connPageInfo
	connTotal
	connAggregate
)

// aggregate is what is taken of a list's aggregates: of the object itself, of
// one function's, or of an object below that.
type aggregate struct {
	fields []aggregateField
}

type aggregateField struct {
	place
	kind  aggregateKind
	text  []byte
	sub   *aggregate
	index int // among connection.aggregates
}

type aggregateKind uint8

const (
	aggregateTypename aggregateKind = iota
	aggregateCount
	aggregateObject
	aggregateValue
)

type edgeField struct {
	place
	kind edgeKind
	sel  *selection
	text []byte
}

type edgeKind uint8

const (
	edgeTypename edgeKind = iota
	edgeCursor
	edgeNode
)

type infoField struct {
	place
	kind infoKind
	text []byte
}

type infoKind uint8

const (
	infoTypename infoKind = iota
	infoNext
	infoPrevious
	infoStart
	infoEnd
)
