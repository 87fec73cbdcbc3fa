-- Post: apply
WITH docs AS MATERIALIZED (
  SELECT
    r0."id" AS "id",
    jsonb_build_object(
      'id', r0."id",
      'title', r0."title",
      'content', r0."content",
      'published', r0."published",
      'createdAt', r0."created_at",
      'author', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'username', r1."username",
          'fullName', r1."full_name"
        )
        FROM "public"."tb_user" r1
        WHERE r1."id" = r0."author_id"
      ),
      'comments', COALESCE((
        SELECT jsonb_agg(jsonb_build_object(
          'id', r2."id",
          'content', r2."content",
          'createdAt', r2."created_at",
          'author', (
            SELECT jsonb_build_object(
              'id', r3."id",
              'username', r3."username"
            )
            FROM "public"."tb_user" r3
            WHERE r3."id" = r2."author_id"
          )
        ) ORDER BY r2."created_at" DESC, r2."id")
        FROM (
          SELECT r2.*
          FROM "public"."tb_comment" r2
          WHERE r2."post_id" = r0."id"
          ORDER BY r2."created_at" DESC, r2."id"
          LIMIT 50
        ) r2
      ), '[]'),
      'commentCount', (
        SELECT count(*)
        FROM "public"."tb_comment" r4
        WHERE r4."post_id" = r0."id"
      )
    ) AS "data",
    r0."author_id" AS "author_id",
    r0."created_at" AS "created_at",
    r0."published" AS "published"
  FROM "public"."tb_post" r0
  WHERE r0."id" = ANY($1::text[]::uuid[])
), changed AS MATERIALIZED (
  SELECT d.*, s.ctid AS "freshet_row", (
    CASE WHEN s."author_id" IS DISTINCT FROM d."author_id" THEN 1 ELSE 0 END
    + CASE WHEN s."created_at" IS DISTINCT FROM d."created_at" THEN 2 ELSE 0 END
    + CASE WHEN s."published" IS DISTINCT FROM d."published" THEN 4 ELSE 0 END
  )::bigint AS "freshet_moved"
  FROM docs d
  LEFT JOIN "public"."tv_post" s ON s."id" = d."id"
  WHERE s."id" IS NULL
     OR s."data" IS DISTINCT FROM d."data"
     OR s."author_id" IS DISTINCT FROM d."author_id"
     OR s."created_at" IS DISTINCT FROM d."created_at"
     OR s."published" IS DISTINCT FROM d."published"
), inserted AS (
  INSERT INTO "public"."tv_post" ("id", "data", "author_id", "created_at", "published", "freshet_lsn", "freshet_time")
  SELECT c."id", c."data", c."author_id", c."created_at", c."published", $2::pg_lsn, $3::timestamptz
  FROM changed c
  WHERE c."freshet_row" IS NULL
  ON CONFLICT ("id") DO UPDATE SET
    "data" = EXCLUDED."data",
    "author_id" = EXCLUDED."author_id",
    "created_at" = EXCLUDED."created_at",
    "published" = EXCLUDED."published",
    "freshet_lsn" = EXCLUDED."freshet_lsn",
    "freshet_time" = EXCLUDED."freshet_time"
), updated AS (
  UPDATE "public"."tv_post" s
  SET
    "data" = c."data",
    "author_id" = c."author_id",
    "created_at" = c."created_at",
    "published" = c."published",
    "freshet_lsn" = $2::pg_lsn,
    "freshet_time" = $3::timestamptz
  FROM changed c
  WHERE s.ctid = c."freshet_row"
), removed AS (
  DELETE FROM "public"."tv_post" s
  USING (
    SELECT k.key
    FROM unnest($1::text[]::uuid[]) AS k (key)
    WHERE k.key NOT IN (SELECT d."id" FROM docs d)
  ) g
  WHERE s."id" = g.key
  RETURNING s."id"
)
SELECT (CASE WHEN c."freshet_row" IS NULL THEN 'i' ELSE 'u' END)::"char" AS op, c."id"::text AS key, c."freshet_moved" AS moved
FROM changed c
UNION ALL
SELECT 'd'::"char", x."id"::text, 0::bigint
FROM removed x;

-- Post: fill
INSERT INTO "public"."tv_post" ("id", "data", "author_id", "created_at", "published", "freshet_lsn", "freshet_time")
SELECT
  r0."id",
  jsonb_build_object(
    'id', r0."id",
    'title', r0."title",
    'content', r0."content",
    'published', r0."published",
    'createdAt', r0."created_at",
    'author', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'username', r1."username",
        'fullName', r1."full_name"
      )
      FROM "public"."tb_user" r1
      WHERE r1."id" = r0."author_id"
    ),
    'comments', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r2."id",
        'content', r2."content",
        'createdAt', r2."created_at",
        'author', (
          SELECT jsonb_build_object(
            'id', r3."id",
            'username', r3."username"
          )
          FROM "public"."tb_user" r3
          WHERE r3."id" = r2."author_id"
        )
      ) ORDER BY r2."created_at" DESC, r2."id")
      FROM (
        SELECT r2.*
        FROM "public"."tb_comment" r2
        WHERE r2."post_id" = r0."id"
        ORDER BY r2."created_at" DESC, r2."id"
        LIMIT 50
      ) r2
    ), '[]'),
    'commentCount', (
      SELECT count(*)
      FROM "public"."tb_comment" r4
      WHERE r4."post_id" = r0."id"
    )
  ),
  r0."author_id",
  r0."created_at",
  r0."published",
  $3::pg_lsn,
  $4::timestamptz
FROM "public"."tb_post" r0
WHERE ($1::text IS NULL OR r0."id" > $1::text::uuid)
  AND ($2::text IS NULL OR r0."id" <= $2::text::uuid)
ON CONFLICT ("id") DO UPDATE SET
  "data" = EXCLUDED."data",
  "author_id" = EXCLUDED."author_id",
  "created_at" = EXCLUDED."created_at",
  "published" = EXCLUDED."published",
  "freshet_lsn" = EXCLUDED."freshet_lsn",
  "freshet_time" = EXCLUDED."freshet_time";

-- Post: bounds
SELECT b."id"::text AS key
FROM (
  SELECT r0."id", row_number() OVER (ORDER BY r0."id") AS freshet_number
  FROM "public"."tb_post" r0
) b
WHERE b.freshet_number % $1::bigint = 0
ORDER BY b."id";

-- Post: prune
DELETE FROM "public"."tv_post" s
WHERE NOT EXISTS (
  SELECT FROM "public"."tb_post" r0
  WHERE s."id" = r0."id"
)
RETURNING s."id"::text AS key;

-- Post: keys
SELECT r0."id"::text AS key
FROM "public"."tb_post" r0
UNION
SELECT s."id"::text
FROM "public"."tv_post" s;

-- Post: differences
WITH docs AS MATERIALIZED (
  SELECT
    r0."id" AS "id",
    jsonb_build_object(
      'id', r0."id",
      'title', r0."title",
      'content', r0."content",
      'published', r0."published",
      'createdAt', r0."created_at",
      'author', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'username', r1."username",
          'fullName', r1."full_name"
        )
        FROM "public"."tb_user" r1
        WHERE r1."id" = r0."author_id"
      ),
      'comments', COALESCE((
        SELECT jsonb_agg(jsonb_build_object(
          'id', r2."id",
          'content', r2."content",
          'createdAt', r2."created_at",
          'author', (
            SELECT jsonb_build_object(
              'id', r3."id",
              'username', r3."username"
            )
            FROM "public"."tb_user" r3
            WHERE r3."id" = r2."author_id"
          )
        ) ORDER BY r2."created_at" DESC, r2."id")
        FROM (
          SELECT r2.*
          FROM "public"."tb_comment" r2
          WHERE r2."post_id" = r0."id"
          ORDER BY r2."created_at" DESC, r2."id"
          LIMIT 50
        ) r2
      ), '[]'),
      'commentCount', (
        SELECT count(*)
        FROM "public"."tb_comment" r4
        WHERE r4."post_id" = r0."id"
      )
    ) AS "data",
    r0."author_id" AS "author_id",
    r0."created_at" AS "created_at",
    r0."published" AS "published"
  FROM "public"."tb_post" r0
  WHERE r0."id" = ANY($1::text[]::uuid[])
), stored AS (
  SELECT s.*
  FROM "public"."tv_post" s
  WHERE s."id" = ANY($1::text[]::uuid[])
)
SELECT COALESCE(d."id"::text, s."id"::text) AS key,
  CASE
    WHEN s."id" IS NULL THEN 'missing'
    WHEN d."id" IS NULL THEN 'extra'
    WHEN s."data" IS DISTINCT FROM d."data" THEN 'data'
    ELSE 'columns'
  END AS kind,
  s."data" AS stored,
  d."data" AS defined
FROM docs d
FULL JOIN stored s ON s."id" = d."id"
WHERE s."id" IS NULL
   OR d."id" IS NULL
   OR s."data" IS DISTINCT FROM d."data"
   OR s."author_id" IS DISTINCT FROM d."author_id"
   OR s."created_at" IS DISTINCT FROM d."created_at"
   OR s."published" IS DISTINCT FROM d."published"
ORDER BY 1;

