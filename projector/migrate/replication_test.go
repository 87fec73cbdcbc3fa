package migrate_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// waitInactive waits until nobody holds the slot.
func waitInactive(t *testing.T, conn *pgx.Conn, name string) {
	t.Helper()
	for range 500 {
		if !scan[bool](t, conn, `SELECT active FROM pg_replication_slots WHERE slot_name = $1`, name) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the slot stays active")
}
