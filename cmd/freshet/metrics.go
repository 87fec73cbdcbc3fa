package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"freshet/api"
	"freshet/cache"
	"freshet/projector"
)

// metrics are what /metrics serves. They hang on the same events as the logs.
type metrics struct {
	registry     *prometheus.Registry
	batches      prometheus.Counter
	transactions prometheus.Counter
	changes      prometheus.Counter
	documents    *prometheus.CounterVec
	phases       *prometheus.HistogramVec
	freshness    prometheus.Histogram
	retries      prometheus.Counter
	quarantined  *prometheus.CounterVec
	requests     *prometheus.HistogramVec
	waited       prometheus.Histogram
}

// seconds are the buckets of durations: 0.5 ms to 16 s.
var seconds = prometheus.ExponentialBuckets(0.0005, 2, 16)

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "freshet", Name: name, Help: help})
	}
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		batches:      counter("batches_total", "Batches committed."),
		transactions: counter("transactions_total", "Source transactions applied."),
		changes:      counter("changes_total", "Row changes of source tables applied."),
		retries:      counter("retries_total", "Failures that were tried again."),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "freshet", Name: "documents_total",
			Help: "Documents rebuilt, by what came of it."}, []string{"outcome"}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "freshet", Name: "batch_phase_seconds",
			Help: "Time of the parts of a batch.", Buckets: seconds}, []string{"phase"}),
		freshness: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "freshet", Name: "freshness_seconds",
			Help: "From a source transaction's commit to the commit of the batch that applied it, by the clocks of server and projector.", Buckets: seconds}),
		quarantined: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "freshet", Name: "quarantined_total",
			Help: "Documents that could not be built."}, []string{"model"}),
	}
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "freshet", Name: "request_seconds",
		Help: "GraphQL requests, by what they were answered with.", Buckets: seconds}, []string{"outcome"})
	m.waited = prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "freshet", Name: "request_wait_seconds",
		Help: "Time that requests waited for the freshness they asked for.", Buckets: seconds})
	m.registry.MustRegister(m.requests, m.waited, m.batches, m.transactions, m.changes, m.retries, m.documents, m.phases, m.freshness, m.quarantined,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) events() projector.Events {
	return projector.Events{
		Batch:       m.batch,
		Retry:       func(string, error, time.Duration) { m.retries.Inc() },
		Quarantined: func(model, _ string, _ error) { m.quarantined.WithLabelValues(model).Inc() },
	}
}

func (m *metrics) batch(b projector.BatchEvent) {
	m.batches.Inc()
	m.transactions.Add(float64(b.Transactions))
	m.changes.Add(float64(b.Changes))
	m.documents.WithLabelValues("upserted").Add(float64(b.Upserted))
	m.documents.WithLabelValues("deleted").Add(float64(b.Deleted))
	m.documents.WithLabelValues("unchanged").Add(float64(b.Unchanged))
	m.phases.WithLabelValues("drain").Observe(b.Phases.Drain.Seconds())
	m.phases.WithLabelValues("resolve").Observe(b.Phases.Resolve.Seconds())
	m.phases.WithLabelValues("rebuild").Observe(b.Phases.Rebuild.Seconds())
	m.phases.WithLabelValues("spread").Observe(b.Phases.Spread.Seconds())
	m.phases.WithLabelValues("commit").Observe(b.Phases.Commit.Seconds())
	for _, at := range b.Commits {
		m.freshness.Observe(max(0, b.At.Sub(at).Seconds()))
	}
}

// request counts a GraphQL request.
func (m *metrics) request(r api.RequestInfo) {
	outcome := "ok"
	switch {
	case r.Errors > 0:
		outcome = "errors"
	case r.Stale:
		outcome = "stale"
	}
	m.requests.WithLabelValues(outcome).Observe(r.Duration.Seconds())
	if r.Waited > 0 {
		m.waited.Observe(r.Waited.Seconds())
	}
}

// gauge registers a value that is read when it is asked for.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "freshet", Name: name, Help: help}, value))
}

func (m *metrics) count(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "freshet", Name: name, Help: help}, value))
}

// engine adds what an engine's status tells.
func (m *metrics) engine(status func() projector.Status) {
	m.gauge("streaming", "1 while the projector applies changes as they come.", func() float64 {
		return truth(status().State == projector.Streaming)
	})
	m.gauge("paused_models", "Read models that are not kept up to date, because something is wrong with a source table.", func() float64 {
		return float64(len(status().Paused))
	})
	m.gauge("received_lsn", "End of the last transaction read from the stream, as a byte position.", func() float64 { return float64(status().Received) })
	m.gauge("applied_lsn", "Resume position in the checkpoint.", func() float64 { return float64(status().Applied) })
	m.gauge("confirmed_lsn", "Position confirmed to the slot.", func() float64 { return float64(status().Confirmed) })
	m.gauge("fan_outs", "Changes that lead to very many documents, and are applied to them in chunks.", func() float64 { return float64(status().FanOuts) })
	m.count("checked_documents_total", "Stored documents that were compared with their definition in passing.", func() float64 { return float64(status().Checked) })
	m.count("diverged_documents_total", "Stored documents that did not equal their definition.", func() float64 { return float64(status().Diverged) })
	m.gauge("complete_lsn", "Every commit at or before it is in every document, fan-outs included.", func() float64 { return float64(status().Complete) })
	m.gauge("watermark_lsn", "Every commit at or before it is in the documents, but for those of fan-outs under way.", func() float64 { return float64(status().Watermark) })
}

// cache adds the counters of a cache: of all of it, and of the pages in it.
func (m *metrics) cache(total, pages func() cache.Stats) {
	m.count("cache_hits_total", "Lookups of documents and pages answered from the cache, absent keys included.", func() float64 {
		s := total()
		return float64(s.Hits + s.AbsentHits)
	})
	m.count("cache_misses_total", "Lookups that were not.", func() float64 { return float64(total().Misses) })
	m.count("cache_evictions_total", "Documents and pages removed for want of room.", func() float64 { return float64(total().Evictions) })
	m.count("cache_invalidations_total", "Keys invalidated, and batches that moved pages.", func() float64 { return float64(total().Invalidations) })
	m.gauge("cache_bytes", "Memory held.", func() float64 { return float64(total().Bytes) })
	m.gauge("cache_entries", "Keys and pages held.", func() float64 { return float64(total().Entries) })
	m.count("cache_page_hits_total", "Pages of lists answered from the cache.", func() float64 { return float64(pages().Hits) })
	m.count("cache_page_misses_total", "Pages of lists that were read.", func() float64 { return float64(pages().Misses) })
	m.gauge("cache_page_bytes", "Memory held by pages, as part of all.", func() float64 { return float64(pages().Bytes) })
}

// subscriptions adds the counters of subscriptions.
func (m *metrics) subscriptions(stats func() api.SubscriptionStats) {
	m.gauge("subscriptions", "Subscriptions now.", func() float64 { return float64(stats().Subscriptions) })
	m.gauge("subscription_queries", "Different ones among them: those that ask the same share their evaluations.", func() float64 { return float64(stats().Queries) })
	m.gauge("subscription_connections", "WebSockets and event streams now.", func() float64 { return float64(stats().Connections) })
	m.count("subscription_messages_total", "Answers sent to subscribers.", func() float64 { return float64(stats().Messages) })
	m.count("subscription_evaluations_total", "Evaluations of subscriptions.", func() float64 { return float64(stats().Evaluations) })
	m.count("subscription_unchanged_total", "Evaluations whose answer was as before.", func() float64 { return float64(stats().Unchanged) })
	m.count("subscription_coalesced_total", "Answers that were replaced by a newer one before a slow subscriber took them.", func() float64 { return float64(stats().Coalesced) })
	m.count("subscription_failures_total", "Evaluations that failed and are tried again.", func() float64 { return float64(stats().Failures) })
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
