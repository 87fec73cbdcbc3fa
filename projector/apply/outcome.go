package apply

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"freshet/projector/compile"
)

// outcome is what the Apply statement of one chunk, or a Patch, wrote.
type outcome struct {
	upserted, deleted []string
	inserted          bool  // some of upserted
	moved             int64 // which columns have changed in any of the others; see compile.ReadModel.Moved
}

func (o *outcome) read(rows pgx.Rows) error {
	for rows.Next() {
		var op, key string
		var moved int64
		if err := rows.Scan(&op, &key, &moved); err != nil {
			return fmt.Errorf("read what was written: %w", err)
		}
		switch op {
		case "d":
			o.deleted = append(o.deleted, key)
			continue
		case "i":
			o.inserted = true
		default:
			o.moved |= moved
		}
		o.upserted = append(o.upserted, key)
	}
	return rows.Err()
}

// anyMoved says in a log row that any column may have changed.
const anyMoved = "*"

// movedOf names the columns that serve indexes and have changed.
func (o *outcome) movedOf(model *compile.ReadModel) []string {
	columns, known := model.Moved(o.moved)
	if o.inserted || len(o.deleted) > 0 || !known {
		return []string{anyMoved}
	}
	return emptyNotNull(columns)
}
