package apply

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"freshet/projector/compile"
)

// TRUNCATE is not MVCC: once it has committed, the table is empty for older
// snapshots too, and the same goes for an ALTER TABLE that writes a table anew.
// A batch whose snapshot is older, and that reads the table after that, would
// see what no snapshot holds: some documents without the rows, and others with
// them. Both put another file behind the table. So a batch notes the files of
// all source tables, behind its snapshot, and commits only if they are still
// the same; it begins only where they are as they were before its snapshot.
// No lock is taken, and nobody waits.

// ErrMoved says that a source table was truncated or rewritten while the batch
// was under way: it is to be begun again.
var ErrMoved = errors.New("a source table was truncated or rewritten meanwhile")

// filesSQL yields one text of the files behind the tables $1 oid[], and behind
// the partitions of $2 oid[].
const filesSQL = `(
SELECT coalesce(string_agg(x.oid::text || ':' || coalesce(pg_relation_filenode(x.oid), 0)::text, ',' ORDER BY x.oid), '')
FROM (SELECT unnest($1::oid[]) AS oid UNION SELECT t.relid::oid FROM unnest($2::oid[]) AS r (oid), pg_partition_tree(r.oid::regclass) AS t WHERE t.isleaf) AS x)`

// files knows the files behind the source tables.
type files struct {
	tables, roots []uint32
	known         string
}

func newFiles(plan *compile.Plan) files {
	var f files
	for _, s := range plan.Sources {
		if s.Table == nil || s.Table.OID == 0 {
			continue
		}
		if s.Table.Kind == 'p' {
			f.roots = append(f.roots, s.Table.OID)
		} else {
			f.tables = append(f.tables, s.Table.OID)
		}
	}
	return f
}

// movedPrefix begins the text that saveCheckpoint fails to read as a position
// where files have moved: SQL has no other way to fail within a pipeline.
const movedPrefix = "freshet: moved "

// moved says whether an error is that one.
func moved(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "22P02" && strings.Contains(pgErr.Message, movedPrefix)
}
