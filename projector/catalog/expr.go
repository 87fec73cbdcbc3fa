package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// judge asks Postgres itself about each expression: as the generated column of
// an empty temporary copy of its table. A generated column is exactly what an
// expression of a model may be: immutable, over its own row, with no subquery.
// The transaction is rolled back.
func (c *Catalog) judge(ctx context.Context, conn *pgx.Conn, exprs []Expr) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// The scanner's idea of a string must be the parser's; nor may this wait
	// long behind somebody's ALTER TABLE.
	if _, err := tx.Exec(ctx, `SET LOCAL standard_conforming_strings = on; SET LOCAL lock_timeout = '10s'`); err != nil {
		return err
	}
	j := judge{tx: tx, scratch: map[uint32]*scratch{}, refs: map[Expr]typeRef{}}
	for _, e := range exprs {
		if _, done := c.Exprs[e]; done {
			continue
		}
		info, err := j.verdict(ctx, c.Resolved[e.Table], e)
		if err != nil {
			return err
		}
		c.Exprs[e] = info
	}
	return j.setTypes(ctx, c)
}

// judge is the state of one scratch transaction.
type judge struct {
	tx      pgx.Tx
	scratch map[uint32]*scratch // by the source's oid
	refs    map[Expr]typeRef
}

// scratch is the temporary copy of a table.
type scratch struct {
	oid    uint32
	name   string // quoted
	column string // quoted: the generated column's, which no column of the table has
	err    error  // why there is none
}

// verdict judges one expression. The error is one of the connection.
func (j *judge) verdict(ctx context.Context, t *Table, e Expr) (ExprInfo, error) {
	if t == nil {
		return ExprInfo{Error: fmt.Sprintf("the table %s does not exist", e.Table)}, nil
	}
	if err := scanExpr(e.SQL); err != nil {
		return ExprInfo{Error: err.Error(), Hint: "Write one SQL expression over the columns of " + t.Name.String() + "."}, nil
	}
	s, err := j.copyOf(ctx, t)
	if err != nil {
		return ExprInfo{}, err
	}
	if s.err != nil {
		return explain(s.err, t, 0), nil
	}
	var info ExprInfo
	err = j.inSavepoint(ctx, func(tx pgx.Tx) (err error) {
		info, err = j.try(ctx, tx, s, e)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !fatal(refused) {
		return explain(err, t, len(exprPrefix)), nil
	}
	return info, err
}

// fatal tells a failure of the server, which is no verdict, from a refusal.
func fatal(err *pgconn.PgError) bool {
	if err.Code == "25006" { // read-only: no expression can be checked, and each says so
		return false
	}
	switch err.Code[:2] {
	case "53", "57", "58", "XX", "25", "08": // resources, operator intervention, system, internal, transaction state
		return true
	}
	return err.Code == "55P03" || err.Code == "40P01" || err.Code == "40001"
}

// inSavepoint runs f in a savepoint and rolls it back.
func (j *judge) inSavepoint(ctx context.Context, f func(pgx.Tx) error) error {
	sp, err := j.tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("set a savepoint: %w", err)
	}
	err = f(sp)
	if back := sp.Rollback(ctx); back != nil {
		return errors.Join(err, fmt.Errorf("roll back to the savepoint: %w", back))
	}
	return err
}

// copyOf makes the temporary copy of a table, once.
func (j *judge) copyOf(ctx context.Context, t *Table) (*scratch, error) {
	if s := j.scratch[t.OID]; s != nil {
		return s, nil
	}
	s := &scratch{
		name:   fmt.Sprintf("pg_temp.freshet_scratch_%d", t.OID),
		column: freeName(t, "freshet_expression"),
	}
	sp, err := j.tx.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("set a savepoint: %w", err)
	}
	// Not the source's name: a reference qualified by it is refused here, and
	// the compiled statements use other names as well.
	_, err = sp.Exec(ctx, fmt.Sprintf(`CREATE TEMPORARY TABLE %s (LIKE %s)`, s.name, pgx.Identifier{t.Name.Schema, t.Name.Name}.Sanitize()))
	if err == nil {
		err = sp.QueryRow(ctx, `SELECT $1::text::regclass::oid`, s.name).Scan(&s.oid)
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !fatal(refused) {
		s.err, err = err, sp.Rollback(ctx)
	} else if err == nil {
		err = sp.Commit(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("copy the shape of %s into a temporary table: %w", t.Name, err)
	}
	j.scratch[t.OID] = s
	return s, nil
}

// freeName returns name, lengthened until no column of the table has it, quoted.
func freeName(t *Table, name string) string {
	for t.Column(name) != nil {
		name += "_"
	}
	return pgx.Identifier{name}.Sanitize()
}

// exprPrefix comes before an expression in the statement that describes it.
const exprPrefix = "SELECT (\n"

// try has Postgres parse the expression, then accept it as a generated column
// of the type that it found. Both go by the extended protocol, which takes a
// single statement only.
func (j *judge) try(ctx context.Context, tx pgx.Tx, s *scratch, e Expr) (ExprInfo, error) {
	desc, err := tx.Conn().PgConn().Prepare(ctx, "", exprPrefix+e.SQL+"\n) FROM "+s.name, nil)
	if err != nil {
		return ExprInfo{}, err
	}
	if len(desc.Fields) != 1 || len(desc.ParamOIDs) != 0 {
		return ExprInfo{Error: "it is not a single expression"}, nil
	}
	ref := typeRef{oid: desc.Fields[0].DataTypeOID, mod: desc.Fields[0].TypeModifier}
	var typ string
	var pseudo bool
	err = tx.QueryRow(ctx, `SELECT pg_catalog.format_type(t.oid, $2), t.typtype = 'p' FROM pg_catalog.pg_type t WHERE t.oid = $1`, ref.oid, ref.mod).Scan(&typ, &pseudo)
	if err != nil {
		return ExprInfo{}, err
	}
	if pseudo {
		return ExprInfo{Error: "it is of type " + typ + ", which no column can have"}, nil
	}
	alter := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s GENERATED ALWAYS AS (\n%s\n) STORED", s.name, s.column, typ, e.SQL)
	// Exec of pgx would take the simple protocol here, which runs any number of statements.
	if res := tx.Conn().PgConn().ExecParams(ctx, alter, nil, nil, nil, nil).Read(); res.Err != nil {
		return atAlter(res.Err)
	}
	columns, err := j.reads(ctx, tx, s)
	if err != nil {
		return ExprInfo{}, err
	}
	if slices.Contains(columns, "") {
		return ExprInfo{Error: "it reads a system column, or the row as a whole", Hint: "Name the columns it needs."}, nil
	}
	j.refs[e] = ref
	return ExprInfo{Columns: columns}, nil
}

// atAlter tells what the ALTER TABLE refuses. The expression was parsed before,
// in a place that also takes a list or a SELECT: a syntax error says that it is
// one. Positions of this statement mean nothing to the reader.
func atAlter(err error) (ExprInfo, error) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		pg.Position = 0
		if pg.Code == "42601" {
			return ExprInfo{Error: "it is not a single expression"}, nil
		}
	}
	return ExprInfo{}, err
}

// readsSQL yields the columns that the generated column depends on; what is no
// column of the table comes as ”. Before Postgres 15 the column itself holds
// the dependency, later its expression does.
const readsSQL = `
SELECT DISTINCT CASE WHEN d.refobjsubid > 0 THEN a.attname::text ELSE '' END
  FROM pg_catalog.pg_attrdef e
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = e.oid
                              OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = e.adrelid AND d.objsubid = e.adnum
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE e.adrelid = $1
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = e.adrelid
   AND d.refobjsubid <> e.adnum
 ORDER BY 1`

// reads returns the columns that the scratch table's generated column reads.
func (j *judge) reads(ctx context.Context, tx pgx.Tx, s *scratch) ([]string, error) {
	rows, err := tx.Query(ctx, readsSQL, s.oid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// setTypes resolves the types of all expressions that passed, and holds
// predicates to boolean.
func (j *judge) setTypes(ctx context.Context, c *Catalog) error {
	if _, err := j.tx.Exec(ctx, `SET LOCAL search_path = ''`); err != nil {
		return err
	}
	return setTypes(ctx, j.tx, j.refs, func(e Expr, t Type) {
		info := c.Exprs[e]
		info.Type = t
		if e.Predicate && (t.Base != "bool" || t.Array) {
			info.Error = fmt.Sprintf("it is of type %s, not boolean", t.SQL)
			info.Hint = "A where must be a condition, such as \"deleted_at IS NULL\"."
		}
		c.Exprs[e] = info
	})
}

// tempDenied says whether the error is about temporary tables as such.
func tempDenied(err *pgconn.PgError) bool {
	return err.Code == "42501" && strings.Contains(err.Message, "temporary")
}
