package cache

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// FeedState is a snapshot of a Feed for people and probes.
type FeedState struct {
	Connected    bool          `json:"connected"`
	Since        time.Time     `json:"since"`       // of being connected, or not
	LastContact  time.Time     `json:"lastContact"` // when the log was last read to its end; zero never
	Lag          time.Duration `json:"lag"`         // time since LastContact
	Watermark    pglogrepl.LSN `json:"-"`
	Complete     pglogrepl.LSN `json:"-"`            // of the checkpoint: as Watermark, but fan-outs included
	Lags         Lags          `json:"-"`            // models that Watermark does not speak for
	LastID       int64         `json:"lastId"`       // of sync_log
	Batch        int64         `json:"batch"`        // of the checkpoint
	CommittedAt  time.Time     `json:"committedAt"`  // source commit time of the last transaction applied
	CheckpointAt time.Time     `json:"checkpointAt"` // when the projector last moved the checkpoint
	Rows         int64         `json:"rows"`         // of sync_log read since the start
	Keys         int64         `json:"keys"`         // invalidated since the start
	Resets       int64         `json:"resets"`       // how often everything was forgotten, the first start excluded
	LastError    string        `json:"lastError,omitempty"`
}

// contact is the moment of the last complete reading.
type contact struct{ at time.Time }

// State returns what the feed is doing.
func (f *Feed) State() FeedState {
	f.mu.Lock()
	s := f.state
	f.mu.Unlock()
	s.Watermark, s.Lags = f.Watermark(), f.Lags()
	if !s.LastContact.IsZero() {
		s.Lag = time.Since(s.LastContact)
	}
	return s
}

// Fresh reports whether what is cached may be trusted by
// FeedConfig.MaxStaleness, and how long ago the last contact was. Before the
// first contact it is not, and the time is 0.
func (f *Feed) Fresh() (ok bool, since time.Duration) {
	c := f.contact.Load()
	if c == nil {
		return false, 0
	}
	since = time.Since(c.at)
	return since <= f.cfg.MaxStaleness, since
}

// Alive reports whether the last contact is at most maxStaleness ago.
func (f *Feed) Alive(maxStaleness time.Duration) bool {
	c := f.contact.Load()
	return c != nil && time.Since(c.at) <= maxStaleness
}

func (f *Feed) connected() {
	f.mu.Lock()
	f.state.Connected, f.state.Since, f.state.LastError = true, time.Now(), ""
	f.mu.Unlock()
	if f.cfg.Events.Connected != nil {
		f.cfg.Events.Connected(f.Watermark())
	}
}

func (f *Feed) disconnected(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Connected || f.state.Since.IsZero() {
		f.state.Connected, f.state.Since = false, time.Now()
	}
	if err != nil {
		f.state.LastError = err.Error()
	}
}

// touched notes that all rows up to a snapshot taken at or after began are
// done.
func (f *Feed) touched(began time.Time, h head, rows, keys int) {
	f.contact.Store(&contact{began})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.LastContact = began
	f.state.LastID = f.pos.last
	f.state.Batch = h.batch
	f.state.Complete = h.complete
	f.state.CommittedAt = h.committedAt
	f.state.CheckpointAt = h.updatedAt
	f.state.Rows += int64(rows)
	f.state.Keys += int64(keys)
}

func (f *Feed) listening() []*Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listeners
}
