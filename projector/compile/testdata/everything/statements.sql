-- Tag: apply
WITH docs AS MATERIALIZED (
  SELECT
    r0."code" AS "code",
    jsonb_build_object(
      'code', r0."code",
      'label', r0."label",
      'tickets', COALESCE((
        SELECT jsonb_agg(jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title",
          'reporter', (
            SELECT jsonb_build_object(
              'id', r2."id",
              'email', r2."email"
            )
            FROM (
              SELECT *
              FROM "public"."tb_person"
              WHERE (deleted_at IS NULL)
            ) r2
            WHERE r2."pk_person" = r1."reporter"
          )
        ) ORDER BY r1."title", r1."id")
        FROM "public"."tb_ticket_tag" j1
        JOIN "public"."tb_ticket" r1 ON r1."id" = j1."ticket_id"
        WHERE j1."tag_code" = r0."code"
      ), '[]')
    ) AS "data",
    r0."label" AS "label"
  FROM "public"."tb_tag" r0
  WHERE r0."code" = ANY($1::text[])
), changed AS MATERIALIZED (
  SELECT d.*, s.ctid AS "freshet_row", (
    CASE WHEN s."label" IS DISTINCT FROM d."label" COLLATE "default" THEN 1 ELSE 0 END
  )::bigint AS "freshet_moved"
  FROM docs d
  LEFT JOIN "public"."tv_tag" s ON s."code" = d."code" COLLATE "default"
  WHERE s."code" IS NULL
     OR s."data" IS DISTINCT FROM d."data"
     OR s."label" IS DISTINCT FROM d."label" COLLATE "default"
), inserted AS (
  INSERT INTO "public"."tv_tag" ("code", "data", "label", "freshet_lsn", "freshet_time")
  SELECT c."code", c."data", c."label", $2::pg_lsn, $3::timestamptz
  FROM changed c
  WHERE c."freshet_row" IS NULL
  ON CONFLICT ("code") DO UPDATE SET
    "data" = EXCLUDED."data",
    "label" = EXCLUDED."label",
    "freshet_lsn" = EXCLUDED."freshet_lsn",
    "freshet_time" = EXCLUDED."freshet_time"
), updated AS (
  UPDATE "public"."tv_tag" s
  SET
    "data" = c."data",
    "label" = c."label",
    "freshet_lsn" = $2::pg_lsn,
    "freshet_time" = $3::timestamptz
  FROM changed c
  WHERE s.ctid = c."freshet_row"
), removed AS (
  DELETE FROM "public"."tv_tag" s
  USING (
    SELECT k.key
    FROM unnest($1::text[]) AS k (key)
    WHERE k.key NOT IN (SELECT d."code" COLLATE "default" FROM docs d)
  ) g
  WHERE s."code" = g.key
  RETURNING s."code"
)
SELECT (CASE WHEN c."freshet_row" IS NULL THEN 'i' ELSE 'u' END)::"char" AS op, c."code"::text AS key, c."freshet_moved" AS moved
FROM changed c
UNION ALL
SELECT 'd'::"char", x."code"::text, 0::bigint
FROM removed x;

-- Tag: fill
INSERT INTO "public"."tv_tag" ("code", "data", "label", "freshet_lsn", "freshet_time")
SELECT
  r0."code",
  jsonb_build_object(
    'code', r0."code",
    'label', r0."label",
    'tickets', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r1."id"::text,
        'title', r1."title",
        'reporter', (
          SELECT jsonb_build_object(
            'id', r2."id",
            'email', r2."email"
          )
          FROM (
            SELECT *
            FROM "public"."tb_person"
            WHERE (deleted_at IS NULL)
          ) r2
          WHERE r2."pk_person" = r1."reporter"
        )
      ) ORDER BY r1."title", r1."id")
      FROM "public"."tb_ticket_tag" j1
      JOIN "public"."tb_ticket" r1 ON r1."id" = j1."ticket_id"
      WHERE j1."tag_code" = r0."code"
    ), '[]')
  ),
  r0."label",
  $3::pg_lsn,
  $4::timestamptz
FROM "public"."tb_tag" r0
WHERE ($1::text IS NULL OR r0."code" > $1::text::text)
  AND ($2::text IS NULL OR r0."code" <= $2::text::text)
ON CONFLICT ("code") DO UPDATE SET
  "data" = EXCLUDED."data",
  "label" = EXCLUDED."label",
  "freshet_lsn" = EXCLUDED."freshet_lsn",
  "freshet_time" = EXCLUDED."freshet_time";

-- Tag: bounds
SELECT b."code"::text AS key
FROM (
  SELECT r0."code", row_number() OVER (ORDER BY r0."code") AS freshet_number
  FROM "public"."tb_tag" r0
) b
WHERE b.freshet_number % $1::bigint = 0
ORDER BY b."code";

-- Tag: prune
DELETE FROM "public"."tv_tag" s
WHERE NOT EXISTS (
  SELECT FROM "public"."tb_tag" r0
  WHERE s."code" = r0."code" COLLATE "default"
)
RETURNING s."code"::text AS key;

-- Tag: keys
SELECT r0."code"::text COLLATE "default" AS key
FROM "public"."tb_tag" r0
UNION
SELECT s."code"::text
FROM "public"."tv_tag" s;

-- Tag: differences
WITH docs AS MATERIALIZED (
  SELECT
    r0."code" AS "code",
    jsonb_build_object(
      'code', r0."code",
      'label', r0."label",
      'tickets', COALESCE((
        SELECT jsonb_agg(jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title",
          'reporter', (
            SELECT jsonb_build_object(
              'id', r2."id",
              'email', r2."email"
            )
            FROM (
              SELECT *
              FROM "public"."tb_person"
              WHERE (deleted_at IS NULL)
            ) r2
            WHERE r2."pk_person" = r1."reporter"
          )
        ) ORDER BY r1."title", r1."id")
        FROM "public"."tb_ticket_tag" j1
        JOIN "public"."tb_ticket" r1 ON r1."id" = j1."ticket_id"
        WHERE j1."tag_code" = r0."code"
      ), '[]')
    ) AS "data",
    r0."label" AS "label"
  FROM "public"."tb_tag" r0
  WHERE r0."code" = ANY($1::text[])
), stored AS (
  SELECT s.*
  FROM "public"."tv_tag" s
  WHERE s."code" = ANY($1::text[])
)
SELECT COALESCE(d."code"::text COLLATE "default", s."code"::text) AS key,
  CASE
    WHEN s."code" IS NULL THEN 'missing'
    WHEN d."code" IS NULL THEN 'extra'
    WHEN s."data" IS DISTINCT FROM d."data" THEN 'data'
    ELSE 'columns'
  END AS kind,
  s."data" AS stored,
  d."data" AS defined
FROM docs d
FULL JOIN stored s ON s."code" = d."code" COLLATE "default"
WHERE s."code" IS NULL
   OR d."code" IS NULL
   OR s."data" IS DISTINCT FROM d."data"
   OR s."label" IS DISTINCT FROM d."label" COLLATE "default"
ORDER BY 1;

