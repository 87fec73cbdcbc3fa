package main

import (
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"freshet/projector"
)

// sink is where logs go. While a progress bar is on the terminal they go
// through it, to be printed above it.
type sink struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// Sync does nothing: nothing is buffered.
func (s *sink) Sync() error { return nil }

// through sends what follows to w, and returns where it went before.
func (s *sink) through(w io.Writer) io.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.w
	s.w = w
	return old
}

func newLogger(format, level string, out zapcore.WriteSyncer) (*zap.Logger, error) {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usagef("one of debug, info, warn, error", "--log-level: %s", err)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(cfg)
	if format == "console" {
		cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		cfg.ConsoleSeparator = " "
		encoder = zapcore.NewConsoleEncoder(cfg)
	}
	return zap.New(zapcore.NewCore(encoder, out, at)), nil
}

// slowBatch is how long a batch may take before it is worth a line.
const slowBatch = time.Second

// logEvents turns what the engine tells into log lines: what an operator
// needs, and nothing for a row or an ordinary batch.
func logEvents(log *zap.Logger, bars bool) projector.Events {
	e := projector.Events{
		State: func(s projector.State, detail string) {
			log.Info(string(s), detailField(detail)...)
		},
		Batch: func(b projector.BatchEvent) { logBatch(log, b) },
		Retry: func(what string, err error, wait time.Duration) {
			log.Warn("will try again: "+what, zap.String("error", oneLine(explain(err))), zap.Duration("wait", wait.Round(time.Millisecond)))
		},
		Quarantined: func(model, key string, err error) {
			log.Error("a document could not be built and waits in freshet.pending",
				zap.String("model", model), zap.String("key", key), zap.String("error", oneLine(err)))
		},
		Diverged: func(d projector.Divergence) {
			log.Error("a stored document did not equal its definition, though nothing had touched it: it will be rebuilt. If nobody changed it by hand, this is a fault of Freshet's: please report it",
				zap.String("model", d.Model), zap.String("key", d.Key), zap.String("kind", d.Kind), zap.String("path", d.Path))
		},
		Paused: func(m projector.PausedModel) {
			log.Error("a read model is paused; the others go on",
				zap.String("model", m.Model), zap.String("error", oneLineText(m.Error)), zap.Stringer("since", m.LSN))
		},
		Mended: func(model string) {
			log.Info("a read model that was paused is filled again, and kept", zap.String("model", model))
		},
	}
	e.Refill = backfillLines(log)
	if !bars {
		e.Backfill = backfillLines(log)
	}
	return e
}

func detailField(detail string) []zap.Field {
	if detail == "" {
		return nil
	}
	return []zap.Field{zap.String("detail", detail)}
}

func logBatch(log *zap.Logger, b projector.BatchEvent) {
	took := b.Phases.Drain + b.Phases.Resolve + b.Phases.Rebuild + b.Phases.Commit
	level := zap.DebugLevel
	if took > slowBatch {
		level = zap.WarnLevel
	}
	entry := log.Check(level, "batch")
	if entry == nil {
		return
	}
	entry.Write(zap.Int64("number", b.Number), zap.Duration("took", took), zap.Duration("drain", b.Phases.Drain),
		zap.Duration("resolve", b.Phases.Resolve), zap.Duration("rebuild", b.Phases.Rebuild), zap.Duration("commit", b.Phases.Commit),
		zap.Int("transactions", b.Transactions), zap.Int("changes", b.Changes), zap.Int("upserted", b.Upserted),
		zap.Int("deleted", b.Deleted), zap.Int("unchanged", b.Unchanged), zap.Stringer("watermark", b.Watermark))
}

// backfillLines logs the progress of each model at most every five seconds,
// and its end.
func backfillLines(log *zap.Logger) func(projector.BackfillEvent) {
	const every = 5 * time.Second
	var mu sync.Mutex
	last := map[string]time.Time{}
	return func(b projector.BackfillEvent) {
		mu.Lock()
		defer mu.Unlock()
		if last[b.Model].IsZero() {
			last[b.Model] = time.Now() // it has only begun
		}
		if !b.Done && time.Since(last[b.Model]) < every {
			return
		}
		last[b.Model] = time.Now()
		message := "backfill"
		if b.Done {
			message = "backfill done"
		}
		log.Info(message, zap.String("model", b.Model), zap.Int64("documents", b.Documents),
			zap.Int64("of", b.Estimate), zap.Duration("elapsed", b.Elapsed.Round(time.Millisecond)))
	}
}
