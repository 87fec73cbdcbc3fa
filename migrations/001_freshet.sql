-- Freshet's own tables. The schema itself is created by the runner, which also
-- keeps its version table in it.

-- One row for each slot: how far its changes have been applied. It is updated
-- in the transaction that writes the documents.
CREATE TABLE freshet.checkpoint (
    slot         text PRIMARY KEY,
    system_id    text NOT NULL,        -- of the cluster, from IDENTIFY_SYSTEM
    timeline     integer NOT NULL,
    database     text NOT NULL,
    state        text NOT NULL CHECK (state IN ('backfilling', 'streaming')),
    epoch        bigint NOT NULL,      -- raised by each projector that takes over: an older one is fenced
    batch        bigint NOT NULL,      -- number of the last batch
    applied_lsn  pg_lsn NOT NULL,      -- every transaction that ends at or before it is applied: where to resume
    watermark    pg_lsn NOT NULL,      -- every commit at or before it is reflected in the documents, but for those that freshet.lag tells of
    commit_time  timestamptz,          -- of the last source transaction applied
    updated_at   timestamptz NOT NULL,
    partitions   jsonb NOT NULL DEFAULT '{}', -- state of the partitions that the documents reflect, by table
    complete     pg_lsn NOT NULL DEFAULT '0/0' -- every commit at or before it is reflected in every document, fan-outs included
);

-- How the source tables stood in the catalog when they were last looked at: by
-- that is noticed what is done to them and not in the log. It is not in
-- freshet.checkpoint because that is written by every batch.
CREATE TABLE freshet.traces (
    slot         text PRIMARY KEY REFERENCES freshet.checkpoint (slot) ON DELETE CASCADE,
    traces       jsonb NOT NULL,       -- by table
    checked_lsn  pg_lsn NOT NULL       -- where the log was just before
);

-- The read models that tables were built for.
CREATE TABLE freshet.models (
    name        text PRIMARY KEY,
    hash        text NOT NULL,         -- of the definition: documents, table and indexes
    layout      jsonb NOT NULL,        -- how to read the table; what an API process goes by
    sources     jsonb NOT NULL,        -- the source columns and their types that it was compiled from
    state       text NOT NULL CHECK (state IN ('backfilling', 'ready', 'paused')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    filled_at   timestamptz,
    paused_lsn  pg_lsn,                -- paused, or filled again since: the first commit that its documents may lack
    paused_at   timestamptz,
    error       text,                  -- paused: why, and what to do
    waits       text                   -- paused with nothing wrong any more, or yet to be filled: what its being filled waits for
);

-- The ranges of a backfill under way.
CREATE TABLE freshet.backfill (
    model       text NOT NULL REFERENCES freshet.models (name) ON DELETE CASCADE,
    range       integer NOT NULL,
    lower_key   text,                  -- exclusive; NULL is unbounded
    upper_key   text,                  -- inclusive; NULL is unbounded
    PRIMARY KEY (model, range)
);

-- Those that are done, so that a killed backfill goes on. A range is filled on
-- the slot's snapshot, which is older than the rows of freshet.backfill: that
-- transaction could not update them, but it can insert here.
CREATE TABLE freshet.backfill_done (
    model       text NOT NULL REFERENCES freshet.models (name) ON DELETE CASCADE,
    range       integer NOT NULL,
    documents   bigint NOT NULL,
    PRIMARY KEY (model, range)
);

-- Keys that wait: quarantined with their error, or asked for by hand.
CREATE TABLE freshet.pending (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model       text NOT NULL,
    key         text NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('quarantine', 'resync')),
    error       text,
    attempts    integer NOT NULL DEFAULT 0,
    since_lsn   pg_lsn NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    next_try_at timestamptz NOT NULL DEFAULT now(),
    priority    smallint NOT NULL DEFAULT 0 CHECK (priority IN (0, 1))  -- 1: before all of 0, such as keys that were asked for one by one
);
-- Each key once. It is by two hashes, 128 bits together: a key that just fits
-- the index of its source does not fit one beside the model's name.
CREATE UNIQUE INDEX pending_model_key_idx ON freshet.pending (model, hashtextextended(key, 0), hashtextextended(key, 1));
CREATE INDEX pending_priority_next_try_at_idx ON freshet.pending (priority, next_try_at);

-- Fan-outs under way: a change that reaches more documents than one batch
-- should hold is written here by its batch, and applied in chunks beside the
-- batches that follow. After a crash one begins anew: what is done is found
-- unchanged.
CREATE TABLE freshet.fanout (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot        text NOT NULL,
    model       text NOT NULL,
    path        text NOT NULL,         -- by which the changed rows lead to the documents
    start       jsonb NOT NULL,        -- where on it: an array of arrays of text
    since_lsn   pg_lsn NOT NULL,       -- the first commit that its documents may lack
    documents   bigint NOT NULL DEFAULT 0, -- done so far
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- The read models that are not as fresh as the checkpoint's watermark: commits
-- before since_lsn are reflected, later ones not in all of their documents.
CREATE VIEW freshet.lag AS
SELECT model, min(since_lsn) AS since_lsn, 'fan-out' AS reason FROM freshet.fanout GROUP BY model
UNION ALL
SELECT name, coalesce(paused_lsn, '0/1'), CASE state WHEN 'paused' THEN 'paused' ELSE 'refill' END FROM freshet.models WHERE state <> 'ready';

-- The log of the read side: one row for each batch and read model, at most
-- 1,000 keys each. Rows with success and keys are also the invalidation feed.
CREATE TABLE freshet.sync_log (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot          text NOT NULL,
    batch         bigint NOT NULL,
    model         text NOT NULL,
    operation     text NOT NULL CHECK (operation IN ('rebuild', 'backfill', 'resync', 'repair')),
    keys          text[] NOT NULL DEFAULT '{}',  -- inserted or updated
    deleted_keys  text[] NOT NULL DEFAULT '{}',
    whole         boolean NOT NULL DEFAULT false, -- any key of the model may have changed
    moved         text[] NOT NULL DEFAULT '{*}',  -- columns that serve indexes and changed in an updated document; '*': any, as where one came or went
    upserted      bigint NOT NULL DEFAULT 0,
    deleted       bigint NOT NULL DEFAULT 0,
    unchanged     bigint NOT NULL DEFAULT 0,     -- rebuilt, and found as it was
    transactions  bigint NOT NULL DEFAULT 0,     -- source transactions in the batch
    xids          bigint[] NOT NULL DEFAULT '{}', -- the first 100 of them
    first_lsn     pg_lsn,
    last_lsn      pg_lsn,
    watermark     pg_lsn NOT NULL,               -- of the batch
    committed_at  timestamptz,                   -- of its last source transaction
    started_at    timestamptz NOT NULL,
    logged_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    duration_ms   double precision NOT NULL,     -- from started_at to this row's writing
    success       boolean NOT NULL DEFAULT true,
    error         text
);
CREATE INDEX sync_log_model_id_idx ON freshet.sync_log (model, id);
CREATE INDEX sync_log_logged_at_idx ON freshet.sync_log (logged_at);
CREATE INDEX sync_log_failed_idx ON freshet.sync_log (id) WHERE NOT success;
