package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"freshet/projector"
	"freshet/projector/status"
)

// behindWarning is the lag from which streaming is worth a look.
const behindWarning = 10 * time.Second

// summarize says in words how the process stands.
func summarize(p *processStatus) summary {
	s := state(p)
	if p.Database.Reachable && p.Database.State != nil && p.Database.State.Slot.Exists {
		s = slotState(s, p.Database.State.Slot)
	}
	if text := fanOuts(p); text != "" && (s.Word == "Streaming" || p.Projector == nil) {
		s.Text += " " + sentence(capital(text))
		if s.Level == levelOK {
			s.Level = levelBusy
		}
	}
	if d := p.Database.State; d != nil && s.Word == "Streaming" {
		s = inPart(s, d.Models)
	}
	grave := graveNotes(p)
	s.Notes = append(grave, notes(p)...)
	switch {
	case len(grave) > 0:
		s.Level = levelBad
	case len(s.Notes) > 0 && (s.Level == levelOK || s.Level == levelBusy):
		s.Level = levelWarn
	}
	return s
}

func state(p *processStatus) summary {
	if p.Projector == nil {
		return elsewhere(p)
	}
	detail := strings.TrimSpace(p.Projector.Detail)
	switch p.Projector.State {
	case projector.Streaming:
		return streaming(p)
	case projector.CatchingUp:
		return summary{Level: levelBusy, Word: "Catching up", Text: "The projector reads the backlog of a downtime" + left(p.Lag) + ". Documents stay as they were until it is through."}
	case projector.Backfilling:
		return backfilling(p.Projector.Backfill, detail)
	case projector.Standby:
		return summary{Level: levelOK, Word: "Standby", Text: "This projector takes over when the leader ends: " + sentence(detail)}
	case projector.Waiting:
		return summary{Level: levelBad, Word: "Waiting", Text: waiting(p.Database.Error, oneLineText(detail))}
	case projector.Stopped:
		return summary{Level: levelBad, Word: "Stopped", Text: "The projector has stopped. " + sentence(oneLineText(p.Projector.LastError))}
	default:
		return summary{Level: levelBusy, Word: "Starting", Text: "The projector is starting."}
	}
}

// waiting says why. Where the page cannot reach the database either, a note
// has the reason in better words.
func waiting(fault, detail string) string {
	if fault != "" && strings.Contains(detail, "connect") {
		return "The projector waits for the database, and tries again by itself."
	}
	return "The projector cannot go on, and tries again by itself: " + sentence(detail)
}

const keptFresh = "Documents are kept fresh."

func streaming(p *processStatus) summary {
	s := summary{Level: levelOK, Word: "Streaming", Text: keptFresh}
	if f := p.Freshness; f.P50MS != nil {
		s.Text = fmt.Sprintf("Half of all changes are in the documents within %s of their commit, 99 %% within %s.", words(*f.P50MS), words(*f.P99MS))
	}
	if b := p.Lag.Seconds; b != nil && *b > behindWarning.Seconds() {
		s.Level, s.Text = levelWarn, fmt.Sprintf("Changes are applied as they come, but the documents are up to %s behind.", span(*b))
	}
	return s
}

// left is the end of a clause on what a backlog still takes.
func left(l lagStatus) string {
	if l.Bytes == nil {
		return ""
	}
	text := ", " + size(*l.Bytes) + " to go"
	if l.SecondsLeft != nil {
		text += ", about " + span(*l.SecondsLeft) + " left"
	}
	return text
}

func backfilling(models []backfillProgress, detail string) summary {
	s := summary{Level: levelBusy, Word: "Backfilling", Text: "Read models are being filled"}
	if strings.HasPrefix(detail, "waiting") {
		s.Text += ": " + sentence(detail)
		return s
	}
	var done, all int64
	seconds, known := 0.0, len(models) > 0
	for _, m := range models {
		done, all = done+m.Documents, all+max(m.Estimate, m.Documents)
		if m.SecondsLeft != nil {
			seconds = max(seconds, *m.SecondsLeft)
		}
		known = known && m.Estimate >= 0
	}
	if known && all > 0 {
		s.Text += fmt.Sprintf(": %s of about %s documents (%d %%)", humanize.Comma(done), humanize.Comma(all), done*100/all)
		if seconds > 0 {
			s.Text += ", about " + span(seconds) + " left"
		}
	}
	s.Text += "."
	return s
}

// elsewhere is what the database tells of a projector in another process.
func elsewhere(p *processStatus) summary {
	const api = "This process serves the API"
	d := p.Database.State
	switch {
	case d == nil:
		return summary{Level: levelOK, Word: "API", Text: api + "; the projector is another's."}
	case d.Checkpoint == nil:
		return summary{Level: levelBad, Word: "No projector", Text: api + ". No projector has ever run for the slot " + d.Slot.Name + "."}
	case !d.Slot.Active:
		return summary{Level: levelBad, Word: "No projector", Text: fmt.Sprintf("%s. No projector reads the slot %s: the documents are as of %s.", api, d.Slot.Name, ago(d.Now, &d.Checkpoint.UpdatedAt))}
	}
	word := capital(d.Checkpoint.State)
	return summary{Level: levelOK, Word: word, Text: fmt.Sprintf("%s; a projector elsewhere is %s, seen %s.", api, d.Checkpoint.State, ago(d.Now, &d.Checkpoint.UpdatedAt))}
}

// slotState puts a slot in danger before everything else.
func slotState(s summary, slot status.Slot) summary {
	switch or(slot.WALStatus, "") {
	case "lost":
		return summary{Level: levelBad, Word: "Lost slot", Text: "The server has removed log that the slot " + slot.Name +
			" still needed. The documents are served as they were; start the projector once with --recreate-slot, which makes a new slot and compares and repairs every document."}
	case "unreserved":
		return summary{Level: levelBad, Word: s.Word, Text: "The slot " + slot.Name + " is about to be lost: the server may remove its log at the next checkpoint. Raise max_slot_wal_keep_size, and find out why the projector is behind. " + s.Text}
	}
	return s
}

// inPart says of streaming that some read models, or all, do not take part.
func inPart(s summary, models []status.Model) summary {
	paused := 0
	for _, m := range models {
		if m.Paused != nil {
			paused++
		}
	}
	switch {
	case paused == 0:
	case paused == len(models):
		s.Word, s.Text = "Paused", "Every read model is paused."
	default:
		s.Word = "Streaming in part"
		if s.Text == keptFresh {
			s.Text = "The documents of the other read models are kept fresh."
		}
	}
	return s
}

// graveNotes are on documents that are not kept, or were found wrong.
func graveNotes(p *processStatus) []string {
	out := []string{}
	if d := p.Database.State; d != nil {
		out = append(out, pausedTexts(d.Models, d.Now)...)
	}
	if text := divergedNote(p); text != "" {
		out = append(out, text)
	}
	return out
}

// notes are what somebody should look at besides the state.
func notes(p *processStatus) []string {
	out := []string{}
	if d := p.Database; d.Error != "" {
		text := "The database cannot be read: " + sentence(d.Error)
		if d.AgeSeconds != nil {
			text += " What is shown of it is " + span(*d.AgeSeconds) + " old."
		}
		out = append(out, text)
	}
	if p.API != nil && !p.API.Feed.Connected {
		out = append(out, feedNote(p))
	}
	if d := p.Database.State; d != nil {
		var n int64
		for _, m := range d.Models {
			n += m.Quarantined
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%s could not be built and %s in quarantine; the errors are below.", plural(int(n), "document"), map[bool]string{true: "is", false: "are"}[n == 1]))
		}
		if s := d.Slot; s.SafeWALBytes != nil && s.RetainedBytes != nil && *s.SafeWALBytes < (*s.SafeWALBytes+*s.RetainedBytes)/5 {
			out = append(out, "The slot is lost after another "+size(*s.SafeWALBytes)+" of log.")
		}
	}
	return out
}

func feedNote(p *processStatus) string {
	const text = "The API does not follow the invalidation feed"
	if e := oneLineText(p.API.Feed.LastError); e != "" && p.Database.Error == "" {
		return text + ": " + sentence(e)
	}
	return text + "; it tries again by itself."
}

func oneLineText(s string) string { return strings.Join(strings.Fields(s), " ") }

// sentence ends a text with a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// words are milliseconds as a person says them.
func words(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return span(ms / 1000)
}

// span are seconds as a person says them.
func span(seconds float64) string {
	switch s := int64(math.Round(seconds)); {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 7200:
		return fmt.Sprintf("%d min", s/60)
	default:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
}
