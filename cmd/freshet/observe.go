package main

import (
	"strings"
	"time"

	"freshet/projector"
)

// observers calls each of several Events in turn.
func observers(all ...projector.Events) projector.Events {
	return projector.Events{
		State: func(s projector.State, detail string) {
			for _, e := range all {
				if e.State != nil {
					e.State(s, detail)
				}
			}
		},
		Batch: func(b projector.BatchEvent) {
			for _, e := range all {
				if e.Batch != nil {
					e.Batch(b)
				}
			}
		},
		Backfill: func(b projector.BackfillEvent) {
			for _, e := range all {
				if e.Backfill != nil {
					e.Backfill(b)
				}
			}
		},
		Refill: func(b projector.BackfillEvent) {
			for _, e := range all {
				if e.Refill != nil {
					e.Refill(b)
				}
			}
		},
		Retry: func(what string, err error, wait time.Duration) {
			for _, e := range all {
				if e.Retry != nil {
					e.Retry(what, err, wait)
				}
			}
		},
		Quarantined: func(model, key string, err error) {
			for _, e := range all {
				if e.Quarantined != nil {
					e.Quarantined(model, key, err)
				}
			}
		},
		Diverged: func(d projector.Divergence) {
			for _, e := range all {
				if e.Diverged != nil {
					e.Diverged(d)
				}
			}
		},
		Paused: func(m projector.PausedModel) {
			for _, e := range all {
				if e.Paused != nil {
					e.Paused(m)
				}
			}
		},
		Mended: func(model string) {
			for _, e := range all {
				if e.Mended != nil {
					e.Mended(model)
				}
			}
		},
	}
}

// oneLine is an error's text for a log.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
