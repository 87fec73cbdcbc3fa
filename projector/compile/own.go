package compile

import (
	"maps"
	"slices"

	"freshet/model"
)

// ownPatch gives the path of a document's own row its Patch.
//
// It leaves out the fields that come of other tables and lead there by columns
// whose old values the log tells anyway: where these columns are as they were,
// the row has nothing to do with what is in such a field, nor with whether the
// document is there. All the other fields are evaluated anew. It is worth it
// where a list or an aggregate is left out: anything else costs little more than
// what is done for the document in any case.
func (b *planBuilder) ownPatch(s *Source, p *pathBuilder) {
	rm := p.path.Model
	if !p.path.Direct || len(p.tops) != 1 || p.tops[0] != nil || s != rm.Root || s.Table.Kind == 'p' {
		return // an old row of a partition is written as the partition's own identity says
	}
	left := b.left(rm, slices.Concat(s.Identity, s.Table.IdentityColumns))
	if !slices.ContainsFunc(slices.Collect(maps.Keys(left)), costly) {
		return
	}
	reads := map[string]bool{rm.Key.Column: true}
	for _, columns := range left {
		maps.Copy(reads, columns)
	}
	g := &generator{compiler: b.compiler}
	root := g.root(b.objects[rm.Type])
	g.from(root) // it notes what the filters read
	maps.Copy(reads, root.reads)
	p.path.Kept = sorted(reads)
	p.path.Patch = b.patchOf(rm, func(f *model.Field) bool { return left[f] == nil })
}

// left are the fields that a patch of the document's own row need not touch,
// each with the columns of the row that it depends on: the log tells of all of
// them whether they are as they were.
func (k *compiler) left(rm *ReadModel, told []string) map[*model.Field]map[string]bool {
	left := map[*model.Field]map[string]bool{}
	for _, item := range rm.Type.Document().Items {
		if f := item.Field; f.Kind == model.Relates || f.Kind == model.Aggregate {
			g := &generator{compiler: k}
			root := g.root(k.objects[rm.Type])
			g.field(root, item)
			g.typedColumns(root, func(top *model.Field) bool { return top == f })
			if len(g.nodes) > 1 && subset(sorted(root.reads), told) {
				left[f] = root.reads
			}
		}
	}
	return left
}

// costly says whether a field is of many rows.
func costly(f *model.Field) bool { return f.Kind == model.Aggregate || f.Relation.ToMany() }
