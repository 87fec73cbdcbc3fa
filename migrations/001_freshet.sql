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
    watermark    pg_lsn NOT NULL,      -- every commit at or before it is reflected in the documents
    commit_time  timestamptz,          -- of the last source transaction applied
    updated_at   timestamptz NOT NULL,
    partitions   jsonb NOT NULL DEFAULT '{}' -- state of the partitions that the documents reflect, by table
);

-- The read models that tables were built for.
CREATE TABLE freshet.models (
    name        text PRIMARY KEY,
    hash        text NOT NULL,         -- of the definition: documents, table and indexes
    layout      jsonb NOT NULL,        -- how to read the table; what an API process goes by
    sources     jsonb NOT NULL,        -- the source columns and their types that it was compiled from
    state       text NOT NULL CHECK (state IN ('backfilling', 'ready')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    filled_at   timestamptz
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
    model       text NOT NULL,
    key         text NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('quarantine', 'resync')),
    error       text,
    attempts    integer NOT NULL DEFAULT 0,
    since_lsn   pg_lsn NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    next_try_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, key)
);
CREATE INDEX pending_next_try_at_idx ON freshet.pending (next_try_at);

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
