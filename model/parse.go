package model

import (
	"fmt"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// ParseFile reads and parses a model file. The error is that of reading it;
// faults of its content are among the Diagnostics.
func ParseFile(path string) (*Model, Diagnostics, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the model file: %w", err)
	}
	m, ds := Parse(path, string(source))
	return m, ds, nil
}

// Parse parses the source of a model file; file is its name in positions. All
// faults are reported together, in file order; only a syntax error hides those
// behind it.
//
// The Model is never nil. Where Diagnostics.Err is not nil it lacks the types,
// fields and arguments at fault, and is consistent in itself: the rest can be
// checked against the catalog, so that all faults are shown at once. It must
// not be run.
func Parse(file, source string) (*Model, Diagnostics) {
	source = normalize(source)
	r := newReader(file, source)
	doc := r.syntax(source)
	if doc == nil {
		return r.model, r.ds
	}
	r.refuse(doc)
	r.declare(doc.Definitions)
	r.readAbstract()
	r.readTypes()
	r.checkImplements()
	r.readWheres()
	r.checkKeys()
	r.resolveRelations()
	r.checkInfinite()
	r.resolveFirstOf()
	r.resolveAggregates()
	r.resolveEmbeds()
	r.resolveIndexes()
	r.checkWhole()
	r.prune()
	r.ds.Sort()
	return r.model, r.ds
}

// reader turns one file into a Model. Its methods run in the order that Parse
// calls them; each may rely on what those before it resolved, except for what
// they marked broken: that has been reported, and to refer to it is no fault.
type reader struct {
	text  *text
	ds    Diagnostics
	model *Model
	types map[string]*Type
	enums map[string]*Enum
	// declared holds the names of the types, interfaces, unions and enums,
	// faulty ones included.
	declared map[string]*ast.Definition

	interfaceSources []*interfaceSource // in file order

	typeSources  []*typeSource  // in file order
	fieldSources []*fieldSource // in file order
	sources      map[*Field]*fieldSource

	brokenTypes  map[*Type]bool
	brokenFields map[*Field]bool
	resolving    map[*Relation]bool // whose embed is being resolved
}

// typeSource is a type with what the file says of it.
type typeSource struct {
	typ  *Type
	def  *ast.Definition
	uses *uses
}

// fieldSource is a field with what the file says of it.
type fieldSource struct {
	owner *Type
	field *Field
	def   *ast.FieldDefinition
	uses  *uses
}

func newReader(file, source string) *reader {
	return &reader{
		text:         newText(file, source),
		model:        &Model{File: file},
		types:        map[string]*Type{},
		enums:        map[string]*Enum{},
		declared:     map[string]*ast.Definition{},
		sources:      map[*Field]*fieldSource{},
		brokenTypes:  map[*Type]bool{},
		brokenFields: map[*Field]bool{},
		resolving:    map[*Relation]bool{},
	}
}

// syntax parses the file, or reports why it does not parse and returns nil.
func (r *reader) syntax(source string) *ast.SchemaDocument {
	if !utf8.ValidString(source) {
		r.ds.Errorf(r.text.at(firstInvalid(source)), "Save the file as UTF-8.", "the file is not UTF-8 here")
		return nil
	}
	doc, err := parser.ParseSchema(&ast.Source{Name: r.text.file, Input: source})
	if err != nil {
		offset, message := r.text.errorOffset(err)
		remedy := "Something is missing at the end of the file: a } perhaps."
		if word := r.text.word(offset); word != "" {
			remedy = fmt.Sprintf("Look at %q and what stands before it.", word)
		}
		r.ds.Errorf(r.text.at(offset), remedy, "syntax: %s", message)
		return nil
	}
	return doc
}

// firstInvalid returns the offset in characters of the first byte that is not UTF-8.
func firstInvalid(source string) int {
	offset := 0
	for i := 0; i < len(source); {
		c, width := utf8.DecodeRuneInString(source[i:])
		if c == utf8.RuneError && width == 1 {
			break
		}
		i += width
		offset++
	}
	return offset
}

// breakField notes that a field's fault has been reported.
func (r *reader) breakField(f *Field) { r.brokenFields[f] = true }

// pruned returns the items that keep accepts, in their order.
func pruned[T any](items []T, keep func(T) bool) []T {
	var kept []T
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// prune removes what is broken, so that the Model is consistent in itself.
func (r *reader) prune() {
	if len(r.brokenTypes) == 0 && len(r.brokenFields) == 0 {
		return
	}
	lost := r.lostFields()
	seen := map[*Selection]bool{}
	r.model.Types = pruned(r.model.Types, func(t *Type) bool { return !r.brokenTypes[t] })
	r.pruneAbstract()
	for _, t := range r.model.Types {
		t.Fields = pruned(t.Fields, func(f *Field) bool { return !lost[f] })
		t.Indexes = pruned(t.Indexes, func(i *Index) bool { return !i.uses(lost) })
		pruneSelection(t.document, lost, seen)
		for _, f := range t.Fields {
			if f.Kind == Relates {
				f.Relation.OrderBy = pruned(f.Relation.OrderBy, func(o Order) bool { return !lost[o.Field] })
				pruneSelection(f.Relation.Embed, lost, seen)
			}
		}
	}
}

// lostFields returns the fields that cannot stay: the broken ones, relations
// to broken types, and aggregates over either.
func (r *reader) lostFields() map[*Field]bool {
	lost := map[*Field]bool{}
	for _, s := range r.fieldSources {
		f := s.field
		lost[f] = r.brokenFields[f] || r.brokenTypes[s.owner] ||
			f.Kind == Relates && (f.Relation == nil || f.Relation.Embed == nil || r.brokenTypes[f.Relation.Target])
	}
	for _, s := range r.fieldSources {
		if f := s.field; f.Kind == Aggregate && (f.Agg == nil || lost[f.Agg.Of] || lost[f.Agg.Field]) {
			lost[f] = true
		}
	}
	for _, s := range r.fieldSources {
		if f := s.field; f.Kind == FirstOf && slices.ContainsFunc(f.Members, func(m *Field) bool { return lost[m] }) {
			lost[f] = true
		}
	}
	return lost
}

func (i *Index) uses(fields map[*Field]bool) bool {
	for _, p := range i.Fields {
		for _, f := range p.Path {
			if fields[f] {
				return true
			}
		}
	}
	return false
}

func pruneSelection(s *Selection, lost map[*Field]bool, seen map[*Selection]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	s.Items = pruned(s.Items, func(i SelectionItem) bool { return !lost[i.Field] })
	for _, item := range s.Items {
		pruneSelection(item.Sub, lost, seen)
	}
}
