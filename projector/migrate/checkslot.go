package migrate

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

// slot checks the replication slot.
func (c *checker) slot(s *state) {
	where := "replication slot " + c.opts.Slot
	if faults := slotFaults(s.slot, c.opts.Slot); len(faults) > 0 {
		c.found = append(c.found, faults...)
		return
	}
	switch {
	case s.slot == nil && s.checkpoint != nil:
		c.add(Fault, where, fmt.Sprintf("it is gone, though documents were applied up to %s by it: it was dropped, or this database was restored from a backup, which holds no slots", s.checkpoint.Applied), recreate)
	case s.slot == nil:
		c.add(Note, where, "it does not exist yet", "freshet migrate --apply creates it, or the projector does at its first start.")
	case s.slot.WALStatus == "lost":
		c.add(Fault, where, "it was lost: the server removed WAL that it needed (max_slot_wal_keep_size)", recreate)
	default:
		c.inUse(where, s.slot)
	}
}

// inUse checks a slot that works.
func (c *checker) inUse(where string, s *slot) {
	if s.WALStatus == "unreserved" {
		c.add(Warning, where, fmt.Sprintf("it holds back %s of WAL, and is about to be lost", humanize.IBytes(uint64(max(s.Retained, 0)))),
			"Start the projector now, or raise max_slot_wal_keep_size.")
	}
	if !s.Active {
		return
	}
	if strings.HasPrefix(s.Holder.Application, "freshet") {
		c.add(Note, where, "a projector follows it: "+s.Holder.String()+"; another one stands by until that ends", "")
		return
	}
	c.add(Fault, where, "it is held by somebody else: "+s.Holder.String(),
		fmt.Sprintf("End that, for instance with SELECT pg_terminate_backend(%d); or choose another name with --slot.", s.Holder.PID))
}
