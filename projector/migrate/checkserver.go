package migrate

import "fmt"

// serverSettings are what the server as a whole must give.
type serverSettings struct {
	Version      int
	WALLevel     string
	Slots        int
	SlotsUsed    int
	Senders      int
	SendersUsed  int
	KeepSize     string // max_slot_wal_keep_size
	IdleTimeout  string // idle_replication_slot_timeout, from Postgres 18 on
	Standbys     string // synchronous_standby_names
	Recovery     bool
	Strings      string // standard_conforming_strings
	HasSlot      bool   // ours
	SlotIsActive bool
}

const settingsSQL = `
SELECT current_setting('server_version_num')::int, current_setting('wal_level'),
       current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots)::int,
       current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender')::int,
       coalesce(current_setting('max_slot_wal_keep_size', true), '-1'),
       coalesce(current_setting('idle_replication_slot_timeout', true), '0'), current_setting('synchronous_standby_names'),
       pg_is_in_recovery(), current_setting('standard_conforming_strings'),
       EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1),
       EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active)`

// server checks the server's settings.
func (c *checker) server() {
	s := &c.settings
	err := c.conn.QueryRow(c.ctx, settingsSQL, c.opts.Slot).Scan(&s.Version, &s.WALLevel, &s.Slots, &s.SlotsUsed,
		&s.Senders, &s.SendersUsed, &s.KeepSize, &s.IdleTimeout, &s.Standbys, &s.Recovery, &s.Strings, &s.HasSlot, &s.SlotIsActive)
	if err != nil {
		c.failed("the server's settings", err)
		return
	}
	if s.Recovery {
		c.add(Fault, "server", "it is a standby, which takes no writes: the tv_* tables are written beside their sources", "Connect to the primary.")
	}
	c.found = append(c.found, serverFaults(s.Version, s.WALLevel)...)
	c.room()
	c.durability()
}

// room checks that there is a free slot and a free sender.
func (c *checker) room() {
	s := c.settings
	if !s.HasSlot && s.SlotsUsed >= s.Slots {
		c.add(Fault, "max_replication_slots", fmt.Sprintf("all %d slots are in use", s.Slots),
			fmt.Sprintf("Drop one that nobody uses (SELECT slot_name, active FROM pg_replication_slots;), or ALTER SYSTEM SET max_replication_slots = %d; then restart the server.", s.Slots+4))
	}
	if !s.SlotIsActive && s.SendersUsed >= s.Senders {
		c.add(Fault, "max_wal_senders", fmt.Sprintf("all %d WAL senders are in use", s.Senders),
			fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; then restart the server.", s.Senders+4))
	}
}

// durability checks what may surprise later.
func (c *checker) durability() {
	s := c.settings
	if s.KeepSize == "-1" {
		c.add(Warning, "max_slot_wal_keep_size", "it is unlimited: while no projector runs, the slot keeps all WAL, until the disk is full",
			"ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf(); with a size that the disk has to spare. Beyond it the slot is lost, and Freshet repairs.")
	}
	if s.IdleTimeout != "0" {
		c.add(Warning, "idle_replication_slot_timeout", fmt.Sprintf("it is %s: a slot that no projector reads from for as long is lost, however little WAL it holds back", s.IdleTimeout),
			"ALTER SYSTEM RESET idle_replication_slot_timeout; SELECT pg_reload_conf(); max_slot_wal_keep_size bounds what a slot may hold back.")
	}
	if s.Standbys != "" {
		c.add(Note, "synchronous_standby_names", fmt.Sprintf("it is %q: a commit is visible only when a standby has confirmed it, and documents follow then; the projector's own commits do not wait", s.Standbys), "")
	}
	if s.Strings != "on" {
		c.add(Warning, "standard_conforming_strings", "it is off: a backslash in a string of the model file means something else than it says",
			"ALTER SYSTEM SET standard_conforming_strings = on; SELECT pg_reload_conf();")
	}
}

// oldestVersion is the first that can be followed: its pgoutput sends logical
// messages.
const oldestVersion = 140000

// serverFaults are those of a server that cannot be followed at all.
func serverFaults(version int, level string) []Finding {
	if version < oldestVersion {
		return []Finding{{Where: "server", What: fmt.Sprintf("it is Postgres %d: Freshet needs 14 or later", version/10000), Remedy: "Upgrade the server."}}
	}
	return walLevel(level)
}

// walLevel is the fault of a wal_level that is too low.
func walLevel(level string) []Finding {
	if level == "logical" {
		return nil
	}
	return []Finding{{
		Where: "wal_level", What: fmt.Sprintf("it is %q: the WAL does not carry what logical decoding needs", level),
		Remedy: "ALTER SYSTEM SET wal_level = 'logical'; then restart the server. (Amazon RDS: rds.logical_replication = 1; Google Cloud SQL: cloudsql.logical_decoding = on; Azure: wal_level = logical.)",
	}}
}
