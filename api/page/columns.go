package page

// Columns returns the columns that a condition looks at, some of them more
// than once.
func Columns(c Cond) []*Column {
	switch c := c.(type) {
	case Compare:
		return []*Column{c.Column}
	case Not:
		return Columns(c.Cond)
	case All:
		return columnsOf(c)
	case Any:
		return columnsOf(c)
	}
	return nil
}

func columnsOf(conds []Cond) (all []*Column) {
	for _, c := range conds {
		all = append(all, Columns(c)...)
	}
	return all
}
