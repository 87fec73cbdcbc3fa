package projector

import (
	"context"
	"fmt"
)

// untangle makes due what seems to wait for longer than any wait is: the
// server's clock was set back after it was written.
func (l *loop) untangle(work context.Context) error {
	_, err := l.control.Exec(work, `
UPDATE freshet.pending SET next_try_at = now() WHERE priority IN (0, 1) AND next_try_at > now() + interval '61 minutes'`)
	if err != nil {
		return fmt.Errorf("look for waits that a clock has made longer: %w", err)
	}
	return nil
}
