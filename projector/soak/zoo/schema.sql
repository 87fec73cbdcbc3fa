-- One of each kind. Keys come from small universes, so that random writers
-- meet on the same rows; see package soak for who writes what.

CREATE TYPE mood AS ENUM ('calm', 'busy', 'angry');
CREATE DOMAIN short_text AS varchar(40) CHECK (VALUE <> 'forbidden');
CREATE SCHEMA "odd schema";

-- The document key is not the primary key; rows are deleted softly.
CREATE TABLE tb_org (
    pk         bigint PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    name       text NOT NULL,
    mood       mood NOT NULL DEFAULT 'calm',
    internal   text,                       -- in no document
    deleted_at timestamptz
);

-- Self-reference by a deferrable constraint.
CREATE TABLE tb_person (
    pk         bigint PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    org_pk     bigint NOT NULL REFERENCES tb_org ON DELETE CASCADE ON UPDATE CASCADE,
    manager_pk bigint REFERENCES tb_person ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    name       text NOT NULL,
    email      text UNIQUE,
    salary     integer NOT NULL,
    rating     double precision,
    active     boolean NOT NULL,
    born       date,
    bio        text,                       -- often long enough for TOAST
    internal   text
);
CREATE INDEX tb_person_org_pk_idx ON tb_person (org_pk);
CREATE INDEX tb_person_manager_pk_idx ON tb_person (manager_pk);

CREATE TABLE tb_profile (
    id        integer PRIMARY KEY,
    person_pk bigint NOT NULL UNIQUE REFERENCES tb_person ON DELETE CASCADE ON UPDATE CASCADE,
    nickname  text,
    settings  jsonb NOT NULL DEFAULT '{}'
);

-- Text keys, of any characters.
CREATE TABLE tb_tag (
    slug  text PRIMARY KEY,
    label text NOT NULL
);

-- A join table with a composite key.
CREATE TABLE tb_person_tag (
    person_pk bigint NOT NULL REFERENCES tb_person ON DELETE CASCADE ON UPDATE CASCADE,
    tag_slug  text NOT NULL REFERENCES tb_tag ON DELETE CASCADE ON UPDATE CASCADE,
    weight    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (person_pk, tag_slug)
);
CREATE INDEX tb_person_tag_tag_slug_idx ON tb_person_tag (tag_slug);

CREATE TABLE tb_category (
    code        varchar(20) PRIMARY KEY,
    name        text NOT NULL,
    parent_code varchar(20) REFERENCES tb_category ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX tb_category_parent_code_idx ON tb_category (parent_code);

CREATE TABLE tb_product (
    id            integer PRIMARY KEY,
    category_code varchar(20) NOT NULL REFERENCES tb_category ON DELETE CASCADE ON UPDATE CASCADE,
    name          text NOT NULL,
    price         numeric(10,2) NOT NULL,
    weight        numeric,
    stock         smallint NOT NULL DEFAULT 0,
    attrs         jsonb
);
CREATE INDEX tb_product_category_code_idx ON tb_product (category_code);

-- Two foreign keys to one table.
CREATE TABLE tb_order (
    id        bigint PRIMARY KEY,
    buyer_pk  bigint REFERENCES tb_person ON DELETE SET NULL ON UPDATE CASCADE,
    seller_pk bigint REFERENCES tb_person ON DELETE SET NULL ON UPDATE CASCADE,
    status    text NOT NULL,
    placed_at timestamptz NOT NULL,
    note      text
);
CREATE INDEX tb_order_buyer_pk_idx ON tb_order (buyer_pk);
CREATE INDEX tb_order_seller_pk_idx ON tb_order (seller_pk);

-- Lives only inside its orders.
CREATE TABLE tb_order_line (
    order_id   bigint NOT NULL REFERENCES tb_order ON DELETE CASCADE ON UPDATE CASCADE,
    line_no    integer NOT NULL,
    product_id integer NOT NULL REFERENCES tb_product ON DELETE CASCADE ON UPDATE CASCADE,
    qty        integer NOT NULL,
    unit_price numeric(10,2) NOT NULL,
    discount   numeric,
    PRIMARY KEY (order_id, line_no)
);
CREATE INDEX tb_order_line_product_id_idx ON tb_order_line (product_id);

-- Partitioned, one level below another; rows move when their id changes.
CREATE TABLE tb_event (
    id        bigint PRIMARY KEY,
    person_pk bigint NOT NULL REFERENCES tb_person ON DELETE CASCADE ON UPDATE CASCADE,
    at        timestamptz NOT NULL,
    payload   text NOT NULL,
    amount    double precision
) PARTITION BY RANGE (id);
CREATE TABLE tb_event_low PARTITION OF tb_event FOR VALUES FROM (MINVALUE) TO (150);
CREATE TABLE tb_event_high PARTITION OF tb_event FOR VALUES FROM (150) TO (MAXVALUE) PARTITION BY HASH (id);
CREATE TABLE tb_event_high_0 PARTITION OF tb_event_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE tb_event_high_1 PARTITION OF tb_event_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX tb_event_person_pk_idx ON tb_event (person_pk);

-- Foreign keys without an index.
CREATE TABLE tb_note (
    id        uuid PRIMARY KEY,
    org_pk    bigint NOT NULL REFERENCES tb_org ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    person_pk bigint REFERENCES tb_person ON DELETE CASCADE ON UPDATE CASCADE,
    title     text NOT NULL,
    body      text NOT NULL,
    pinned    boolean NOT NULL DEFAULT false
);

-- Every column type.
CREATE TABLE tb_scalar (
    id       smallint PRIMARY KEY,
    t        text,
    vc       varchar(10),
    i2       smallint,
    i4       integer NOT NULL,
    i8       bigint,
    num      numeric,
    num_s    numeric(12,3),
    f4       real,
    f8       double precision,
    b        boolean,
    ts_local timestamp,
    ts_utc   timestamp,
    tstz     timestamptz,
    d        date,
    tm       time,
    tmtz     timetz,
    iv       interval,
    j        json,
    jb       jsonb,
    bin      bytea,
    u        uuid,
    m        mood,
    a_text   text[],
    a_int    integer[],
    a_big    bigint[],
    a_num    numeric[],
    a_mood   mood[],
    a_tstz   timestamptz[],
    a_bin    bytea[],
    dom      short_text,
    addr     inet,
    doubled  integer GENERATED ALWAYS AS (i4 * 2) STORED,
    large    text
);

-- Identifiers that no careless quoting survives.
CREATE TABLE "odd schema"."weird ""name""" (
    "ke""y"          text PRIMARY KEY,
    "größe ✓"        integer,
    "select"         text,
    "parent; DROP'x" text REFERENCES "odd schema"."weird ""name""" ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX ON "odd schema"."weird ""name""" ("parent; DROP'x");

-- Money: the balances add up to the same in every commit, and each balance is
-- what it was opened with, plus what was received, minus what was sent.
CREATE TABLE tb_wallet (
    id      integer PRIMARY KEY,
    opening bigint NOT NULL,
    balance bigint NOT NULL
);
CREATE TABLE tb_transfer (
    id      bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    from_id integer NOT NULL REFERENCES tb_wallet,
    to_id   integer NOT NULL REFERENCES tb_wallet,
    amount  bigint NOT NULL
);
CREATE INDEX tb_transfer_from_id_idx ON tb_transfer (from_id);
CREATE INDEX tb_transfer_to_id_idx ON tb_transfer (to_id);

-- Versions only rise. Rows 1 and 2 rise together; the others belong to one
-- prober each.
CREATE TABLE tb_counter (
    id      integer PRIMARY KEY,
    version bigint NOT NULL
);

-- A hub has so many spokes that its change is more than one batch should hold:
-- they embed it by a fixed path, by a second and optional one, and within an
-- array of their own. A hub's version only rises.
CREATE TABLE tb_hub (
    id      integer PRIMARY KEY,
    name    text NOT NULL,
    version bigint NOT NULL DEFAULT 0
);
CREATE TABLE tb_spoke (
    id       integer PRIMARY KEY,
    hub_id   integer NOT NULL REFERENCES tb_hub,
    other_id integer REFERENCES tb_hub,
    label    text NOT NULL
);
CREATE INDEX tb_spoke_hub_id_idx ON tb_spoke (hub_id);
CREATE INDEX tb_spoke_other_id_idx ON tb_spoke (other_id);
CREATE TABLE tb_bolt (
    id       integer PRIMARY KEY,
    spoke_id integer NOT NULL REFERENCES tb_spoke ON DELETE CASCADE,
    hub_id   integer REFERENCES tb_hub,
    size     integer NOT NULL
);
CREATE INDEX tb_bolt_spoke_id_idx ON tb_bolt (spoke_id);
CREATE INDEX tb_bolt_hub_id_idx ON tb_bolt (hub_id);

-- A row whose divisor is zero has no document that could be built.
CREATE TABLE tb_trap (
    id      integer PRIMARY KEY,
    divisor integer NOT NULL,
    label   text NOT NULL
);
