package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"freshet/projector/status"
)

// silence is the age of a leader's last sign of life from which it is worth a
// look: one that is well gives one each second.
const silence = 5 * time.Second

// fanOutText says what large changes are under way, and which read models are
// filled beside; "": none.
func fanOutText(all []status.FanOut) string {
	if len(all) == 0 {
		return ""
	}
	var changes []status.FanOut
	var texts []string
	for _, f := range all {
		if f.Filling() {
			texts = append(texts, fillText(f))
		} else {
			changes = append(changes, f)
		}
	}
	if len(changes) > 0 {
		texts = append([]string{changesText(changes)}, texts...)
	}
	return strings.Join(texts, "; ")
}

// fillText says how far a read model is that is filled while others stream.
func fillText(f status.FanOut) string {
	switch {
	case f.Waits != "":
		return f.Model + " is " + f.Waits
	case !f.Runs:
		return f.Model + " waits to be filled"
	}
	return fmt.Sprintf("%s is being filled while the others go on: %s so far", f.Model, documentsText(f.Documents, "document"))
}

func changesText(all []status.FanOut) string {
	f := all[0]
	what := "a large change to " + f.Model + " is"
	if f.Changes > 1 {
		what = fmt.Sprintf("%s large changes to %s are", humanize.Comma(f.Changes), f.Model)
	}
	text := fmt.Sprintf("%s being applied: %s so far", what, documentsText(f.Documents, "document"))
	if more := len(all) - 1; more > 0 {
		text += fmt.Sprintf("; %d more %s", more, those(int64(more), "waits", "wait"))
	}
	return text
}

// fanOuts says it by the last reading of the database, which alone knows how
// far they are.
func fanOuts(p *processStatus) string {
	if d := p.Database.State; d != nil && len(d.FanOuts) > 0 {
		return fanOutText(d.FanOuts)
	}
	return ""
}

// pausedTexts say of the read models that are paused why, and what they wait
// for: those of one reason in one sentence.
func pausedTexts(models []status.Model, now time.Time) (texts []string) {
	names, reasons := map[status.Paused][]string{}, []status.Paused{}
	for _, m := range models {
		if m.Paused == nil {
			continue
		}
		reason := status.Paused{Since: m.Paused.Since.Truncate(time.Second), Error: m.Paused.Error, Waits: m.Paused.Waits}
		if names[reason] == nil {
			reasons = append(reasons, reason)
		}
		names[reason] = append(names[reason], m.Name)
	}
	for _, r := range reasons {
		texts = append(texts, pausedText(names[r], r, now))
	}
	return texts
}

func pausedText(names []string, p status.Paused, now time.Time) string {
	n := int64(len(names))
	why := sentence(oneLineText(p.Error))
	if p.Waits != "" {
		why = "nothing is wrong any more, and " + those(n, "it waits ", "they wait ") + sentence(p.Waits) + " It had been: " + why
	}
	return fmt.Sprintf("%s %s paused: %s It was noticed %s; documents are served as they were.", list(names), those(n, "is", "are"), why, ago(now, &p.Since))
}

// list are names as a person says them.
func list(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// divergedText says what the self-check has found; "": nothing. since is since
// when these were counted.
func divergedText(documents int64, since string) string {
	if documents == 0 {
		return ""
	}
	return fmt.Sprintf("%s did not equal the definition, %s, though nothing had touched %s, and %s rebuilt. "+
		"Unless somebody wrote into a tv_* table by hand this is a fault of Freshet's: freshet log --failed has the keys, please report it.",
		documentsText(documents, "stored document"), since, those(documents, "it", "them"), those(documents, "was", "were"))
}

// documentsText is a number with what it counts.
func documentsText(n int64, what string) string {
	return humanize.Comma(n) + " " + those(n, what, what+"s")
}

func those(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// divergedNote is that of the process, by its own counter or by the database.
func divergedNote(p *processStatus) string {
	if d := p.Database.State; d != nil && d.Diverged.Documents > 0 {
		return divergedText(d.Diverged.Documents, "in the last 24 hours")
	}
	if p.Projector != nil {
		return divergedText(p.Projector.Diverged, "since the start of this process")
	}
	return ""
}

// leaderText says who leads, and whether it lives.
func leaderText(d status.Database) string {
	l := d.Leader
	switch {
	case l == nil:
		return "nobody leads: no projector runs"
	case l.Since == nil:
		return fmt.Sprintf("a projector leads: pid %d, of a role that this one may not look at", l.PID)
	case l.SilentSeconds == nil:
		return fmt.Sprintf("pid %d from %s holds the lead and gives no signs of life: a command such as freshet destroy, or track_activities is off", l.PID, l.Client)
	}
	text := fmt.Sprintf("a projector leads: pid %d from %s, connected %s; its last sign of life was %s ago", l.PID, l.Client, ago(d.Now, l.Since), span(*l.SilentSeconds))
	if *l.SilentSeconds > silence.Seconds() {
		text += ". It may be frozen: one that stands by takes over after --lease"
	}
	return text
}
