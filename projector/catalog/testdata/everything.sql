CREATE SCHEMA other;
CREATE SCHEMA "Weird ""Schema""";
CREATE SCHEMA shadow;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
ALTER TYPE mood ADD VALUE 'between' BEFORE 'ok';
CREATE TYPE shadow.uuid AS ENUM ('not', 'a', 'uuid');
CREATE DOMAIN label AS varchar(5);
CREATE DOMAIN strict_label AS label NOT NULL;
CREATE DOMAIN labels AS label[];
CREATE TYPE pair AS (a int, b text);
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE tb_all (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    t         text NOT NULL,
    vc        varchar(5),
    ch        char(3),
    i2        smallint,
    i4        integer,
    i8        bigint,
    n         numeric(10, 2),
    f4        real,
    f8        double precision,
    b         boolean NOT NULL DEFAULT true,
    tstz      timestamptz,
    ts        timestamp(3),
    d         date,
    tm        time,
    iv        interval,
    js        json,
    jsb       jsonb,
    by        bytea,
    m         mood,
    ms        mood[],
    texts     text[],
    l         label,
    sl        strict_label,
    ls        labels,
    al        label[],
    fake      shadow.uuid,
    vec       int2vector,
    p         pair,
    folded    text COLLATE folded,
    gone      int,
    twice     integer GENERATED ALWAYS AS (i4 * 2) STORED,
    seq       bigint GENERATED ALWAYS AS IDENTITY
);
ALTER TABLE tb_all DROP COLUMN gone;
CREATE UNIQUE INDEX tb_all_t_key ON tb_all (t, i4);
CREATE INDEX tb_all_expr_idx ON tb_all (lower(t), i4) INCLUDE (i8) WHERE b;
CREATE INDEX tb_all_gin ON tb_all USING gin (jsb);

-- The same name in two schemas, in an upper-case one, and a quoted one.
CREATE TABLE tb_same (id int PRIMARY KEY);
CREATE TABLE other.tb_same (id bigint PRIMARY KEY, x text);
CREATE TABLE "TB_Same" (id text PRIMARY KEY);
CREATE TABLE other.only_there (id int);

CREATE TABLE "Weird ""Schema"""."we're ""quoted"" Ünïcödé 表 select" (
    "Order"           int PRIMARY KEY,
    "se""lect; DROP"  text NOT NULL,
    "naïve 列"         int,
    "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc" text,
    freshet_expression int
);
CREATE TABLE "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc" ("user" int PRIMARY KEY);

CREATE TABLE tb_child (
    a        uuid REFERENCES tb_all DEFERRABLE,
    x        int,
    y        bigint,
    CONSTRAINT tb_child_pk PRIMARY KEY (y, x),
    again    uuid
);
ALTER TABLE tb_child ADD CONSTRAINT tb_child_again FOREIGN KEY (again) REFERENCES tb_all NOT VALID;
CREATE TABLE tb_composite (
    p1 int, p2 bigint, id int PRIMARY KEY,
    FOREIGN KEY (p1, p2) REFERENCES tb_child (x, y)
);
ALTER TABLE tb_child ADD UNIQUE (x, y);
ALTER TABLE tb_composite ADD CONSTRAINT tb_composite_other FOREIGN KEY (p1, p2) REFERENCES tb_child (x, y);

-- Replica identities.
CREATE TABLE id_full (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a) STORED);
ALTER TABLE id_full REPLICA IDENTITY FULL;
CREATE TABLE id_none (id int PRIMARY KEY);
ALTER TABLE id_none REPLICA IDENTITY NOTHING;
CREATE TABLE id_index (id int PRIMARY KEY, fk int NOT NULL);
CREATE UNIQUE INDEX id_index_identity ON id_index (fk, id);
ALTER TABLE id_index REPLICA IDENTITY USING INDEX id_index_identity;
CREATE TABLE id_deferrable (id int PRIMARY KEY DEFERRABLE);
CREATE TABLE id_nokey (a int);

-- Partitions: two levels; one leaf has lost its identity.
CREATE TABLE part (id int, region text, other int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_eu PARTITION OF part FOR VALUES IN ('eu');
CREATE TABLE part_us PARTITION OF part FOR VALUES IN ('us') PARTITION BY RANGE (id);
CREATE TABLE part_us_1 PARTITION OF part_us FOR VALUES FROM (0) TO (100);
CREATE TABLE to_part (id int PRIMARY KEY, pid int, pregion text, FOREIGN KEY (pid, pregion) REFERENCES part);
CREATE TABLE broken (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE broken_eu PARTITION OF broken FOR VALUES IN ('eu');
CREATE TABLE broken_us PARTITION OF broken FOR VALUES IN ('us');
ALTER TABLE broken_us REPLICA IDENTITY NOTHING;

CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE heir () INHERITS (parent);

CREATE VIEW a_view AS SELECT * FROM tb_all;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
ALTER TABLE tb_same ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT upper(t) || '!' $$;
CREATE FUNCTION moody(t text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$ BEGIN RETURN upper(t); END $$;
CREATE FUNCTION many(i int) RETURNS SETOF int IMMUTABLE LANGUAGE sql AS $$ SELECT generate_series(1, i) $$;
