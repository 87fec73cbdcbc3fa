CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE tb_user (
    id        uuid PRIMARY KEY,
    user_name text,
    age       bigint NOT NULL,
    balance   numeric NOT NULL,
    mood      mood NOT NULL,
    tags      text[] NOT NULL,
    spot      point,
    extra     json,
    deleted   boolean
);
CREATE TABLE tb_post (
    id        uuid PRIMARY KEY,
    author_id uuid REFERENCES tb_user,
    editor_id uuid REFERENCES tb_user,
    title     text NOT NULL
);
CREATE TABLE tb_pair (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE tb_keyless (id integer NOT NULL);
CREATE TABLE tb_date_key (id date PRIMARY KEY);
CREATE TABLE tb_loose (id text COLLATE loose PRIMARY KEY);
CREATE TABLE tb_other_key (id uuid UNIQUE, pk integer PRIMARY KEY, email text);
CREATE TABLE tb_nullable_key (id uuid UNIQUE, pk integer PRIMARY KEY);
CREATE UNLOGGED TABLE tb_unlogged (id uuid PRIMARY KEY);
CREATE TABLE tb_parts (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE tb_parts_1 PARTITION OF tb_parts FOR VALUES FROM (1) TO (100);
CREATE TABLE tb_ancestor (id integer PRIMARY KEY);
CREATE TABLE tb_heir () INHERITS (tb_ancestor);
CREATE VIEW vw_user AS SELECT id FROM tb_user;
CREATE TABLE tb_stray (id integer PRIMARY KEY, count integer);
CREATE TABLE tv_clash (id integer PRIMARY KEY);
CREATE TABLE tb_data (data text PRIMARY KEY);
CREATE TABLE tb_generated (id integer PRIMARY KEY, twice integer NOT NULL GENERATED ALWAYS AS (id * 2) STORED UNIQUE);
