-- Author: public.tv_author from public.tb_author by id (uuid)

-- Author: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'penName', r0."pen_name",
    'books', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('id', r1."id") ORDER BY r1."id")
      FROM "public"."tb_book" r1
      WHERE r1."author_id" = r0."id"
    ), '[]')
  ) AS "data"
FROM "public"."tb_author" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Author: table
CREATE TABLE IF NOT EXISTS "public"."tv_author" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Author: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id",
      'penName', r0."pen_name"
    ) AS "data"
  FROM "public"."tb_author" r0
  JOIN "public"."tv_author" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_author" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'penName') IS DISTINCT FROM (d."data" -> 'penName'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Book: public.tv_book from public.tb_book by id (uuid)

-- Book: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'title', r0."title",
    'author', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'penName', r1."pen_name"
      )
      FROM "public"."tb_author" r1
      WHERE r1."id" = r0."author_id"
    ),
    'editor', (
      SELECT jsonb_build_object(
        'id', r2."id",
        'penName', r2."pen_name"
      )
      FROM "public"."tb_author" r2
      WHERE r2."id" = r0."editor_id"
    ),
    'awards', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('name', r3."name") ORDER BY r3."book_id" NULLS LAST, r3."name")
      FROM "public"."tb_award" r3
      WHERE r3."book_id" = r0."id"
    ), '[]'),
    'sales', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('amount', r4."amount"::text) ORDER BY r4."id", r4."book_id")
      FROM "public"."tb_sale" r4
      WHERE r4."book_id" = r0."id"
    ), '[]'),
    'revenue', (
      SELECT sum(r5."amount")::text
      FROM "public"."tb_sale" r5
      WHERE r5."book_id" = r0."id"
    )
  ) AS "data"
FROM "public"."tb_book" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Book: table
CREATE TABLE IF NOT EXISTS "public"."tv_book" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Book: patch of author
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'author', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'penName', r1."pen_name"
        )
        FROM "public"."tb_author" r1
        WHERE r1."id" = r0."author_id"
      )
    ) AS "data"
  FROM "public"."tb_book" r0
  JOIN "public"."tv_book" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_book" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'author') IS DISTINCT FROM (d."data" -> 'author'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Book: patch of editor
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'editor', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'penName', r1."pen_name"
        )
        FROM "public"."tb_author" r1
        WHERE r1."id" = r0."editor_id"
      )
    ) AS "data"
  FROM "public"."tb_book" r0
  JOIN "public"."tv_book" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_book" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'editor') IS DISTINCT FROM (d."data" -> 'editor'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Book: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id",
      'title', r0."title",
      'editor', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'penName', r1."pen_name"
        )
        FROM "public"."tb_author" r1
        WHERE r1."id" = r0."editor_id"
      )
    ) AS "data"
  FROM "public"."tb_book" r0
  JOIN "public"."tv_book" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_book" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'title') IS DISTINCT FROM (d."data" -> 'title')
    OR (d."freshet_data" -> 'editor') IS DISTINCT FROM (d."data" -> 'editor'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- source public.tb_author
--   reads     id, pen_name
--   old value id

-- public.tb_author(id) -> Author
--   matters: id, pen_name
--   a patch while unmoved: id
--   the value is the key

-- public.tb_author(id) -> Book.author
--   matters: id, pen_name
--   alters author alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_book" t1
WHERE t1."author_id" = ANY($1::text[]::uuid[]);

-- public.tb_author(id) -> Book.editor
--   matters: id, pen_name
--   alters editor alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_book" t1
WHERE t1."editor_id" = ANY($1::text[]::uuid[]);

-- source public.tb_award
--   reads     book_id, name
--   old value book_id

-- public.tb_award(book_id) -> Book.awards
--   matters: book_id, name
--   the value is the key

-- source public.tb_book
--   reads     author_id, editor_id, id, title
--   old value author_id, id

-- public.tb_book(author_id) -> Author.books
--   matters: author_id, id
--   the value is the key

-- public.tb_book(id) -> Book
--   matters: author_id, editor_id, id, title
--   a patch while unmoved: author_id, id
--   the value is the key

-- source public.tb_sale
--   reads     amount, book_id, id
--   old value book_id, id

-- public.tb_sale(book_id) -> Book.sales
--   leads to: Book.sales, Book.revenue
--   matters: amount, book_id, id
--   the value is the key

-- replica identity of public.tb_award
ALTER TABLE "public"."tb_award" REPLICA IDENTITY FULL;

-- replica identity of public.tb_book
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "tb_book_id_author_id_freshet_identity" ON "public"."tb_book" ("id", "author_id");
ALTER TABLE "public"."tb_book" REPLICA IDENTITY USING INDEX "tb_book_id_author_id_freshet_identity";

-- missing index on public.tb_award
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tb_award_book_id_idx" ON "public"."tb_award" ("book_id");

-- missing index on public.tb_book
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tb_book_author_id_idx" ON "public"."tb_book" ("author_id");

-- missing index on public.tb_book
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tb_book_editor_id_idx" ON "public"."tb_book" ("editor_id");

-- missing index on public.tb_sale
CREATE INDEX IF NOT EXISTS "tb_sale_book_id_idx" ON "public"."tb_sale" ("book_id");

