package migrate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// slot is what pg_replication_slots says of a slot.
type slot struct {
	Name      string
	Plugin    string // "" for a physical slot
	Database  string
	Temporary bool
	Active    bool
	Holder    session // of an active slot
	WALStatus string  // reserved, extended, unreserved, lost
	Confirmed string  // LSN
	Retained  int64   // bytes of WAL kept for it; 0 when not known
	Here      bool    // belongs to this database
}

// readSlot reads a slot, nil when there is none.
func readSlot(ctx context.Context, conn *pgx.Conn, name string) (*slot, error) {
	s := &slot{Name: name}
	err := conn.QueryRow(ctx, `
SELECT coalesce(s.plugin, ''), coalesce(s.database, ''), s.temporary, s.active, coalesce(s.wal_status, ''),
       coalesce(s.confirmed_flush_lsn::text, ''), s.database IS NOT DISTINCT FROM current_database(),
       CASE WHEN pg_is_in_recovery() THEN 0 ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0) END::bigint,
       coalesce(s.active_pid, 0), coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(host(a.client_addr), '')
  FROM pg_catalog.pg_replication_slots s
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
 WHERE s.slot_name = $1`, name).Scan(&s.Plugin, &s.Database, &s.Temporary, &s.Active, &s.WALStatus, &s.Confirmed, &s.Here, &s.Retained,
		&s.Holder.PID, &s.Holder.User, &s.Holder.Application, &s.Holder.Address)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return s, err
}

// foreign says why the slot is not one that Freshet could use, "" when it is.
func (s *slot) foreign() string {
	switch {
	case s.Plugin == "":
		return "it is a physical slot"
	case s.Plugin != "pgoutput":
		return fmt.Sprintf("its plugin is %s, not pgoutput", s.Plugin)
	case !s.Here:
		return fmt.Sprintf("it belongs to database %q", s.Database)
	case s.Temporary:
		return "it is temporary: it ends with the session that made it"
	}
	return ""
}

// slotName is what Postgres takes for a slot's name.
var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// slotFaults are what makes the slot unusable; a lost one is not among them.
func slotFaults(s *slot, name string) []Finding {
	where := "replication slot " + name
	if !slotName.MatchString(name) {
		return []Finding{{Where: where, What: "a slot's name has only lower-case letters, digits and underscores, at most 63", Remedy: "Choose another name with --slot."}}
	}
	if s == nil || s.foreign() == "" {
		return nil
	}
	return []Finding{{Where: where, What: "it is not Freshet's: " + s.foreign(), Remedy: "Choose another name with --slot."}}
}

const recreate = "Start the projector once with --recreate-slot: it makes a new slot and compares and repairs every document, while the old ones are served."

// slot plans the replication slot. Where there was one before, only the
// projector can make a new one: it has to repair what was missed in between.
func (p *planner) slot() {
	s, name := p.state.slot, p.opts.Slot
	p.faults = append(p.faults, slotFaults(s, name)...)
	switch {
	case s != nil && s.WALStatus == "lost":
		p.note(fmt.Sprintf("replication slot %s was lost. %s", name, recreate))
	case s == nil && p.state.checkpoint != nil:
		p.note(fmt.Sprintf("replication slot %s is gone, though it was used up to %s. %s", name, p.state.checkpoint.Applied, recreate))
	case s == nil:
		p.slotStep(name)
	}
}

// slotStep plans the slot's creation.
func (p *planner) slotStep(name string) {
	options := slotOptions(p.state.version)
	step := Step{
		Kind:  KindSlot,
		What:  fmt.Sprintf("create the replication slot %s", name),
		SQL:   fmt.Sprintf("SELECT pg_create_logical_replication_slot(%s, 'pgoutput'%s)", literal(name), options),
		Locks: "nothing; it waits for every transaction that is running and has written something",
		do:    func(ctx context.Context, w *worker) error { return w.createSlot(ctx, name, options) },
	}
	if p.opts.LeaveSlot {
		step.Phase, step.What = After, step.What+": the projector does it at its start, with the snapshot for the first fill"
		step.SQL = fmt.Sprintf("CREATE_REPLICATION_SLOT %s LOGICAL pgoutput", quoteName(name))
	}
	p.add(step)
}

// slotOptions asks for a slot that standbys keep in step, where the server has
// such: after a failover the projector goes on with it.
func slotOptions(version int) string {
	if version < 170000 {
		return ""
	}
	return ", failover => true"
}

// createSlot creates the slot, by the caller's function if there is one.
func (w *worker) createSlot(ctx context.Context, name, options string) error {
	if w.opts.CreateSlot != nil {
		ctx, cancel := context.WithTimeout(ctx, w.opts.SlotWait)
		defer cancel()
		return w.opts.CreateSlot(ctx)
	}
	// A timeout of the server's leaves nothing behind; a client that goes away
	// would leave the slot to come into being later, with nobody to use it.
	if err := w.settings(ctx, "0", milliseconds(w.opts.SlotWait)); err != nil {
		return err
	}
	_, err := w.conn.Exec(ctx, `SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput'`+options+`)`, name)
	switch code := sqlState(err); {
	case code == codeCanceled && ctx.Err() == nil:
		return w.blocked(fmt.Sprintf("create replication slot %s within %s", name, w.opts.SlotWait))
	case code == "53400" || err != nil && strings.Contains(err.Error(), "all replication slots are in use"):
		return fmt.Errorf("no replication slot is free: raise max_replication_slots, or drop one that nobody uses (SELECT * FROM pg_replication_slots WHERE NOT active): %w", err)
	}
	return err
}
