package checkpoint_test

import (
	"context"
	"errors"
	"testing"

	"freshet/projector/checkpoint"
)

// A later timeline with a slot that no standby kept in step is refused, and so
// is one with no slot at all.
func TestPromotionWithoutASyncedSlotIsRefused(t *testing.T) {
	ctx := context.Background()
	_, conn := fresh(t)
	id, err := checkpoint.Find(ctx, conn, "promoted_"+conn.Config().Database)
	if err != nil {
		t.Fatal(err)
	}
	old := id
	old.Timeline = id.Timeline - 1
	if err = checkpoint.Create(ctx, conn, old, 1<<60); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []string{"", "SELECT pg_create_logical_replication_slot($1, 'pgoutput')"} {
		if slot != "" {
			if _, err = conn.Exec(ctx, slot, id.Slot); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := checkpoint.FollowPromotion(ctx, conn, id); err != nil || p != nil {
			t.Errorf("followed: %+v, %v", p, err)
		}
		var mismatch *checkpoint.Mismatch
		if _, err = checkpoint.TakeOver(ctx, conn, id); !errors.As(err, &mismatch) {
			t.Errorf("taken over: %v", err)
		}
	}
}
