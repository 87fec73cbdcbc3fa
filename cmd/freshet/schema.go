package main

import (
	"context"
	"encoding/json"
	"fmt"

	"freshet/api/served"
	"freshet/model"
	"freshet/projector/session"
)

type schemaCmd struct {
	modelFlag
	GlobalIDs  bool `name:"global-ids" help:"With interface Node, as an API with --global-ids has it."`
	Exact      bool `help:"Look at the columns' types in the database, too." env:"-"`
	Directives bool `help:"Print the directives and scalars of model files instead, for editors." env:"-"`
}

// Help is shown by --help.
func (c *schemaCmd) Help() string {
	return `Prints the GraphQL schema that clients are served, from the model file alone.

  freshet schema --model model.graphql > schema.graphql     for code generators of clients
  freshet schema --directives > freshet.graphql             for editors: name this file beside the
                                                            model file in .graphqlrc.yml, and they complete
                                                            the directives and explain them

The file does not tell one thing: whether what is served as a String is text in
Postgres, and has a min and max. It is taken for text; --exact looks it up.

.graphqlrc.yml:
  schema: [freshet.graphql, model.graphql]`
}

// Run needs no database, unless it shall be exact.
func (c *schemaCmd) Run(ctx context.Context, a *app) error {
	if c.Directives {
		a.printf("%s", model.Prelude)
		return nil
	}
	m, layouts, err := c.layouts(ctx, a)
	if err != nil {
		return err
	}
	s, err := served.New(m, layouts, served.Options{GlobalIDs: c.GlobalIDs})
	if err != nil {
		return err
	}
	a.printf("%s", s.SDL)
	return nil
}

func (c *schemaCmd) layouts(ctx context.Context, a *app) (*model.Model, []served.Layout, error) {
	if c.Exact {
		return c.compiled(ctx, a)
	}
	m, faults, err := parseModel(c.Model)
	if err == nil {
		err = faults.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	return m, layoutsOf(m), nil
}

// compiled has the layouts that a migration would make now. They pass as JSON,
// as they do from a projector to an API.
func (c *schemaCmd) compiled(ctx context.Context, a *app) (*model.Model, []served.Layout, error) {
	conn, err := a.connect(ctx, "schema")
	if err != nil {
		return nil, nil, err
	}
	defer session.Close(conn)
	plan, _, err := a.plan(ctx, conn, c.Model)
	if err != nil {
		return nil, nil, err
	}
	all := make([]served.Layout, len(plan.ReadModels))
	for i, rm := range plan.ReadModels {
		text, err := json.Marshal(rm.Layout)
		if err == nil {
			err = json.Unmarshal(text, &all[i])
		}
		if err != nil {
			return nil, nil, fmt.Errorf("lay out %s: %w", rm.Name, err)
		}
	}
	return plan.Model, all, nil
}

// usualBase is the Postgres type that a scalar mostly stands for. A scalar that
// is not here has no min and max in the schema, whatever stands behind it.
var usualBase = map[string]string{
	"Int": "int4", "BigInt": "int8", "Float": "float8", "Decimal": "numeric", "String": "text",
	"DateTime": "timestamptz", "LocalDateTime": "timestamp", "Date": "date", "Time": "time", "Duration": "interval",
}

// layoutsOf are the layouts that a migration would make, as far as the schema
// depends on them: which paths have a column, and mostly of what type. Names of
// columns are the database's business, and do not show.
func layoutsOf(m *model.Model) []served.Layout {
	var all []served.Layout
	for _, t := range m.Types {
		key := t.KeyField()
		if !t.Stored || key == nil {
			continue
		}
		l := served.Layout{Type: t.Name, Table: "tv_" + model.SnakeCase(t.Name), Key: served.LayoutColumn{Path: key.Name, Column: key.Column}}
		seen := map[string]bool{key.Name: true}
		for _, index := range t.Indexes {
			for _, p := range index.Fields {
				path := p.String()
				if !seen[path] {
					seen[path] = true
					last := p.Path[len(p.Path)-1]
					l.Columns = append(l.Columns, served.LayoutColumn{Path: path, Column: path, Base: usualBase[last.Type.Name]})
				}
			}
		}
		all = append(all, l)
	}
	return all
}
