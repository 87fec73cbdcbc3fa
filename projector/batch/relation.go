package batch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"freshet/projector/compile"
	"freshet/projector/wal"
)

// SchemaError says that a table is not, or not any more, as the plan needs it.
type SchemaError struct {
	Table   string // schema.name
	Problem string // what is wrong, one clause
	Remedy  string // what to do, one sentence or statement
	// Models are the read models whose documents would be wrong by it, sorted.
	Models []string
}

// Error returns the table, the problem and the remedy.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("table %s: %s (%s)", e.Table, e.Problem, e.Remedy)
}

// relation is a table of the plan as the stream describes it, with the
// positions of all columns that its paths need.
type relation struct {
	source  *compile.Source
	columns int
	key     []bool // which columns the replica identity covers
	// partial: an old row is there only where the replica identity changed, and
	// holds that alone. A partition writes old rows as its own identity says,
	// and the stream describes them as the root's.
	partial bool
	paths   []boundPath
}

// boundPath is a path with its columns resolved.
type boundPath struct {
	path  *compile.Path
	start []int
	// startKnown: the replica identity covers all of start, so the old values
	// are known for every kind of old row.
	startKnown bool
	reads      []int // the columns to compare
	// kept are those that an update must leave as they were to be a patch; nil:
	// none is.
	kept []int
}

// bind resolves a source's columns in the description of its table.
func bind(source *compile.Source, m *wal.Relation) (*relation, error) {
	positions := make(map[string]int, len(m.Columns))
	rel := &relation{source: source, columns: len(m.Columns), key: make([]bool, len(m.Columns)),
		partial: m.Identity != 'f' && source.Table.Kind != 'p'}
	for i, c := range m.Columns {
		positions[c.Name] = i
		rel.key[i] = m.Identity == 'f' || (c.Key && m.Identity != 'n')
	}
	if err := checkColumns(source, positions); err != nil {
		return nil, err
	}
	if err := checkIdentity(rel, m, positions); err != nil {
		return nil, err
	}
	for _, path := range source.Paths {
		bound, err := rel.bindPath(path, positions)
		if err != nil {
			return nil, err
		}
		rel.paths = append(rel.paths, bound)
	}
	return rel, nil
}

// checkColumns verifies that the stream has what the plan reads. Generated
// columns are never in it.
func checkColumns(source *compile.Source, positions map[string]int) error {
	var missing []string
	for _, name := range source.Reads {
		if _, found := positions[name]; !found && !generated(source, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &SchemaError{
		Table:   source.Table.Name.String(),
		Problem: "the model reads " + columnList(missing) + ", which the replication stream does not have: dropped, renamed, or left out of the publication",
		Remedy:  "restore it, or change the model file to the new name and run freshet migrate --apply; the publication must not have a column list for this table",
		Models:  source.ModelsReading(missing),
	}
}

func generated(source *compile.Source, name string) bool {
	c := source.Table.Column(name)
	return c != nil && c.Generated
}

func checkIdentity(rel *relation, m *wal.Relation, positions map[string]int) error {
	var missing []string
	for _, name := range rel.source.Identity {
		if at, found := positions[name]; !found || !rel.key[at] {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &SchemaError{
		Table: rel.source.Table.Name.String(),
		Problem: fmt.Sprintf("its replica identity (%s) does not cover %s, so the old value is not in the WAL",
			identityName(m.Identity), columnList(missing)),
		Remedy: "run freshet migrate --apply, or: ALTER TABLE " + sanitize(rel.source) + " REPLICA IDENTITY FULL",
		Models: rel.source.ModelsStarting(missing),
	}
}

func identityName(identity byte) string {
	switch identity {
	case 'd':
		return "DEFAULT"
	case 'n':
		return "NOTHING"
	case 'f':
		return "FULL"
	case 'i':
		return "USING INDEX"
	}
	return fmt.Sprintf("%q", identity)
}

func columnList(names []string) string {
	if len(names) == 1 {
		return "column " + names[0]
	}
	return "columns " + strings.Join(names, ", ")
}

func (rel *relation) bindPath(path *compile.Path, positions map[string]int) (boundPath, error) {
	bound := boundPath{path: path, startKnown: true}
	for _, name := range path.Start {
		at, found := positions[name]
		if !found {
			return bound, &SchemaError{
				Table:   rel.source.Table.Name.String(),
				Problem: fmt.Sprintf("column %s, which leads from its rows to %s, is not in the replication stream", name, path.Via),
				Remedy:  "restore it, or change the model file and run freshet migrate --apply",
				Models:  []string{path.Model.Name},
			}
		}
		bound.start = append(bound.start, at)
		bound.startKnown = bound.startKnown && rel.key[at]
	}
	bound.reads = positionsOf(slices.Concat(path.Start, path.Reads), positions)
	if len(path.Kept) > 0 {
		bound.kept = positionsOf(path.Kept, positions)
	}
	return bound, nil
}

// positionsOf returns where the columns are, or all positions where one is not
// in the stream: any column may be behind one that is generated.
func positionsOf(names []string, positions map[string]int) []int {
	var at []int
	for _, name := range names {
		i, found := positions[name]
		if !found {
			at = slices.Collect(maps.Values(positions))
			break
		}
		at = append(at, i)
	}
	slices.Sort(at)
	return slices.Compact(at)
}
