package model

// checkWhole reports what only the whole model shows.
func (r *reader) checkWhole() {
	if len(r.typeSources) == 0 && r.ds.Err() == nil {
		r.ds.Errorf(r.text.at(0), `Write a type such as type User @table(name: "tb_user") { id: ID! }.`, "the model file has no types")
		return
	}
	r.checkSizes()
	reached := r.reached()
	if len(reached) == 0 && r.ds.Err() == nil {
		r.ds.Errorf(r.typeSources[0].typ.Pos, "Remove stored: false from one of them.", "no type of the model file is stored")
		return
	}
	for _, ts := range r.typeSources {
		if t := ts.typ; !t.Stored && !reached[t] && !r.brokenTypes[t] {
			r.ds.Warnf(t.Pos, "Remove it, add a relation to it, or make it stored.", "nothing embeds %s, and it is not stored", t.Name)
		}
	}
}

func (r *reader) checkSizes() {
	sizes := sizer{}
	for _, ts := range r.typeSources {
		if sizes.of(ts.typ.document) > maxDocument {
			r.brokenTypes[ts.typ] = true
			r.ds.Errorf(ts.typ.Pos, "Make some of the types in it stored, or embed less.", "the document of %s has more than %d fields", ts.typ.Name, maxDocument)
		}
	}
}

// reached returns the stored types and all that their documents contain.
// Relations of broken fields count: what they meant to embed is no fault.
func (r *reader) reached() map[*Type]bool {
	seen := map[*Type]bool{}
	var visit func(t *Type)
	visit = func(t *Type) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		for _, f := range t.Fields {
			visit(r.types[f.Type.Name])
		}
	}
	for _, ts := range r.typeSources {
		if ts.typ.Stored {
			visit(ts.typ)
		}
	}
	return seen
}
