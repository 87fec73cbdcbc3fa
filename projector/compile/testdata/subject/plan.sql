-- Song: public.tv_song from public.item by id (bigint)

-- Song: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'kind', r0."kind",
    'title', r0."title"
  ) AS "data"
FROM (
  SELECT *
  FROM "public"."item"
  WHERE ("kind" = 'song')
) r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Song: table
CREATE TABLE IF NOT EXISTS "public"."tv_song" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Film: public.tv_film from public.item by id (bigint)

-- Film: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'kind', r0."kind",
    'title', r0."title",
    'length', r0."length"
  ) AS "data"
FROM (
  SELECT *
  FROM "public"."item"
  WHERE ("kind" = 'film')
) r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Film: table
CREATE TABLE IF NOT EXISTS "public"."tv_film" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Post: public.tv_post from public.post by id (bigint)

-- Post: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'title', r0."title",
    'reactions', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r1."id"::text,
        'song', (
          SELECT jsonb_build_object(
            'id', r2."id"::text,
            'title', r2."title"
          )
          FROM (
            SELECT *
            FROM "public"."item"
            WHERE ("kind" = 'song')
          ) r2
          WHERE r2."id" = r1."item"
        )
      ) ORDER BY r1."id")
      FROM (
        SELECT *
        FROM "public"."reaction"
        WHERE ("subject_type" = 'post')
      ) r1
      WHERE r1."subject_id" = r0."id"
    ), '[]')
  ) AS "data"
FROM "public"."post" r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Post: table
CREATE TABLE IF NOT EXISTS "public"."tv_post" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Post: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id"::text,
      'title', r0."title"
    ) AS "data"
  FROM "public"."post" r0
  JOIN "public"."tv_post" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_post" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'title') IS DISTINCT FROM (d."data" -> 'title'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Reaction: public.tv_reaction from public.reaction by id (bigint)

-- Reaction: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'subjectType', r0."subject_type"::text,
    'post', CASE WHEN r0."post" THEN (
      SELECT jsonb_build_object(
        'id', r1."id"::text,
        'title', r1."title"
      )
      FROM "public"."post" r1
      WHERE r1."id" = r0."subject_id"
    ) END,
    'video', CASE WHEN r0."video" THEN (
      SELECT jsonb_build_object(
        'id', r2."id"::text,
        'title', r2."title",
        'length', r2."length"
      )
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE ("kind" = 'film')
      ) r2
      WHERE r2."id" = r0."subject_id"
    ) END,
    'about', CASE WHEN r0."about" THEN (
      SELECT jsonb_build_object(
        'id', r3."id"::text,
        'title', r3."title"
      )
      FROM "public"."thread" r3
      WHERE r3."id" = r0."subject_id"
    ) END,
    'song', (
      SELECT jsonb_build_object(
        'id', r4."id"::text,
        'title', r4."title"
      )
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE ("kind" = 'song')
      ) r4
      WHERE r4."id" = r0."item"
    ),
    'film', (
      SELECT jsonb_build_object('id', r5."id"::text)
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE ("kind" = 'film')
      ) r5
      WHERE r5."id" = r0."item"
    ),
    'person', (
      SELECT jsonb_build_object('name', r6."name")
      FROM "public"."person" r6
      WHERE r6."id" = r0."person"
    ),
    'company', (
      SELECT jsonb_build_object('name', r7."name")
      FROM "public"."company" r7
      WHERE r7."id" = r0."company"
    ),
    'echoes', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r8."id"::text,
        'post', CASE WHEN r8."post" THEN (
          SELECT jsonb_build_object(
            'id', r9."id"::text,
            'title', r9."title"
          )
          FROM "public"."post" r9
          WHERE r9."id" = r8."subject_id"
        ) END
      ) ORDER BY r8."id")
      FROM (
        SELECT *, ("subject_type" = 'post') AS "post"
        FROM "public"."reaction"
      ) r8
      WHERE r8."echo_of" = r0."id"
    ), '[]')
  ) AS "data",
  CASE WHEN r0."post" THEN (
    SELECT r10."id"
    FROM "public"."post" r10
    WHERE r10."id" = r0."subject_id"
  ) END AS "post_id",
  CASE WHEN r0."video" THEN (
    SELECT r11."title"
    FROM (
      SELECT *
      FROM "public"."item"
      WHERE ("kind" = 'film')
    ) r11
    WHERE r11."id" = r0."subject_id"
  ) END AS "video_title",
  CASE WHEN r0."about" THEN (
    SELECT r12."title"
    FROM "public"."thread" r12
    WHERE r12."id" = r0."subject_id"
  ) END AS "about_title"
FROM (
  SELECT *, ("subject_type" = 'post') AS "post", (subject_type = 'video') AS "video", (("subject_type" = 'thread' OR "subject_type" IS NULL)) AS "about"
  FROM "public"."reaction"
) r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Reaction: table
CREATE TABLE IF NOT EXISTS "public"."tv_reaction" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "post_id" bigint,
  "video_title" text,
  "about_title" text,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_reaction_post_id_id_idx" ON "public"."tv_reaction" ("post_id", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_reaction_video_title_id_idx" ON "public"."tv_reaction" ("video_title", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_reaction_about_title_id_idx" ON "public"."tv_reaction" ("about_title", "id");

-- Reaction: patch of company
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'company', (
        SELECT jsonb_build_object('name', r1."name")
        FROM "public"."company" r1
        WHERE r1."id" = r0."company"
      )
    ) AS "data"
  FROM "public"."reaction" r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'company') IS DISTINCT FROM (d."data" -> 'company'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Reaction: patch of video
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."video_title" AS "freshet_1",
    jsonb_build_object(
      'video', CASE WHEN r0."video" THEN (
        SELECT jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title",
          'length', r1."length"
        )
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE ("kind" = 'film')
        ) r1
        WHERE r1."id" = r0."subject_id"
      ) END
    ) AS "data",
    CASE WHEN r0."video" THEN (
      SELECT r2."title"
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE ("kind" = 'film')
      ) r2
      WHERE r2."id" = r0."subject_id"
    ) END AS "video_title"
  FROM (
    SELECT *, (subject_type = 'video') AS "video"
    FROM "public"."reaction"
  ) r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "video_title" = d."video_title",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'video') IS DISTINCT FROM (d."data" -> 'video')
    OR d."freshet_1" IS DISTINCT FROM d."video_title" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_1" IS DISTINCT FROM d."video_title" COLLATE "default" THEN 2 ELSE 0 END
)::bigint AS moved;

-- Reaction: patch of person
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'person', (
        SELECT jsonb_build_object('name', r1."name")
        FROM "public"."person" r1
        WHERE r1."id" = r0."person"
      )
    ) AS "data"
  FROM "public"."reaction" r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'person') IS DISTINCT FROM (d."data" -> 'person'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Reaction: patch of post
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."post_id" AS "freshet_0",
    jsonb_build_object(
      'post', CASE WHEN r0."post" THEN (
        SELECT jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title"
        )
        FROM "public"."post" r1
        WHERE r1."id" = r0."subject_id"
      ) END
    ) AS "data",
    CASE WHEN r0."post" THEN (
      SELECT r2."id"
      FROM "public"."post" r2
      WHERE r2."id" = r0."subject_id"
    ) END AS "post_id"
  FROM (
    SELECT *, ("subject_type" = 'post') AS "post"
    FROM "public"."reaction"
  ) r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "post_id" = d."post_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'post') IS DISTINCT FROM (d."data" -> 'post')
    OR d."freshet_0" IS DISTINCT FROM d."post_id")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."post_id" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Reaction: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."post_id" AS "freshet_0",
    s."video_title" AS "freshet_1",
    s."about_title" AS "freshet_2",
    jsonb_build_object(
      'id', r0."id"::text,
      'subjectType', r0."subject_type"::text,
      'post', CASE WHEN r0."post" THEN (
        SELECT jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title"
        )
        FROM "public"."post" r1
        WHERE r1."id" = r0."subject_id"
      ) END,
      'video', CASE WHEN r0."video" THEN (
        SELECT jsonb_build_object(
          'id', r2."id"::text,
          'title', r2."title",
          'length', r2."length"
        )
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE ("kind" = 'film')
        ) r2
        WHERE r2."id" = r0."subject_id"
      ) END,
      'about', CASE WHEN r0."about" THEN (
        SELECT jsonb_build_object(
          'id', r3."id"::text,
          'title', r3."title"
        )
        FROM "public"."thread" r3
        WHERE r3."id" = r0."subject_id"
      ) END,
      'song', (
        SELECT jsonb_build_object(
          'id', r4."id"::text,
          'title', r4."title"
        )
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE ("kind" = 'song')
        ) r4
        WHERE r4."id" = r0."item"
      ),
      'film', (
        SELECT jsonb_build_object('id', r5."id"::text)
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE ("kind" = 'film')
        ) r5
        WHERE r5."id" = r0."item"
      ),
      'person', (
        SELECT jsonb_build_object('name', r6."name")
        FROM "public"."person" r6
        WHERE r6."id" = r0."person"
      ),
      'company', (
        SELECT jsonb_build_object('name', r7."name")
        FROM "public"."company" r7
        WHERE r7."id" = r0."company"
      )
    ) AS "data",
    CASE WHEN r0."post" THEN (
      SELECT r8."id"
      FROM "public"."post" r8
      WHERE r8."id" = r0."subject_id"
    ) END AS "post_id",
    CASE WHEN r0."video" THEN (
      SELECT r9."title"
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE ("kind" = 'film')
      ) r9
      WHERE r9."id" = r0."subject_id"
    ) END AS "video_title",
    CASE WHEN r0."about" THEN (
      SELECT r10."title"
      FROM "public"."thread" r10
      WHERE r10."id" = r0."subject_id"
    ) END AS "about_title"
  FROM (
    SELECT *, ("subject_type" = 'post') AS "post", (subject_type = 'video') AS "video", (("subject_type" = 'thread' OR "subject_type" IS NULL)) AS "about"
    FROM "public"."reaction"
  ) r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "post_id" = d."post_id",
  "video_title" = d."video_title",
  "about_title" = d."about_title",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'subjectType') IS DISTINCT FROM (d."data" -> 'subjectType')
    OR (d."freshet_data" -> 'post') IS DISTINCT FROM (d."data" -> 'post')
    OR (d."freshet_data" -> 'video') IS DISTINCT FROM (d."data" -> 'video')
    OR (d."freshet_data" -> 'about') IS DISTINCT FROM (d."data" -> 'about')
    OR (d."freshet_data" -> 'song') IS DISTINCT FROM (d."data" -> 'song')
    OR (d."freshet_data" -> 'film') IS DISTINCT FROM (d."data" -> 'film')
    OR (d."freshet_data" -> 'person') IS DISTINCT FROM (d."data" -> 'person')
    OR (d."freshet_data" -> 'company') IS DISTINCT FROM (d."data" -> 'company')
    OR d."freshet_0" IS DISTINCT FROM d."post_id"
    OR d."freshet_1" IS DISTINCT FROM d."video_title" COLLATE "default"
    OR d."freshet_2" IS DISTINCT FROM d."about_title" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."post_id" THEN 1 ELSE 0 END
  + CASE WHEN d."freshet_1" IS DISTINCT FROM d."video_title" COLLATE "default" THEN 2 ELSE 0 END
  + CASE WHEN d."freshet_2" IS DISTINCT FROM d."about_title" COLLATE "default" THEN 4 ELSE 0 END
)::bigint AS moved;

-- Reaction: patch of about
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."about_title" AS "freshet_2",
    jsonb_build_object(
      'about', CASE WHEN r0."about" THEN (
        SELECT jsonb_build_object(
          'id', r1."id"::text,
          'title', r1."title"
        )
        FROM "public"."thread" r1
        WHERE r1."id" = r0."subject_id"
      ) END
    ) AS "data",
    CASE WHEN r0."about" THEN (
      SELECT r2."title"
      FROM "public"."thread" r2
      WHERE r2."id" = r0."subject_id"
    ) END AS "about_title"
  FROM (
    SELECT *, (("subject_type" = 'thread' OR "subject_type" IS NULL)) AS "about"
    FROM "public"."reaction"
  ) r0
  JOIN "public"."tv_reaction" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_reaction" s
SET
  "data" = d."freshet_data" || d."data",
  "about_title" = d."about_title",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'about') IS DISTINCT FROM (d."data" -> 'about')
    OR d."freshet_2" IS DISTINCT FROM d."about_title" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_2" IS DISTINCT FROM d."about_title" COLLATE "default" THEN 4 ELSE 0 END
)::bigint AS moved;

-- Thread: public.tv_thread from public.thread by id (bigint)

-- Thread: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'title', r0."title",
    'reactions', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r1."id"::text,
        'subjectType', r1."subject_type"::text,
        'post', CASE WHEN r1."post" THEN (
          SELECT jsonb_build_object(
            'id', r2."id"::text,
            'title', r2."title"
          )
          FROM "public"."post" r2
          WHERE r2."id" = r1."subject_id"
        ) END,
        'about', CASE WHEN r1."about" THEN (
          SELECT jsonb_build_object(
            'id', r3."id"::text,
            'title', r3."title"
          )
          FROM "public"."thread" r3
          WHERE r3."id" = r1."subject_id"
        ) END,
        'song', (
          SELECT jsonb_build_object(
            'id', r4."id"::text,
            'title', r4."title"
          )
          FROM (
            SELECT *
            FROM "public"."item"
            WHERE ("kind" = 'song')
          ) r4
          WHERE r4."id" = r1."item"
        ),
        'film', (
          SELECT jsonb_build_object(
            'id', r5."id"::text,
            'title', r5."title",
            'length', r5."length"
          )
          FROM (
            SELECT *
            FROM "public"."item"
            WHERE ("kind" = 'film')
          ) r5
          WHERE r5."id" = r1."item"
        ),
        'person', (
          SELECT jsonb_build_object('name', r6."name")
          FROM "public"."person" r6
          WHERE r6."id" = r1."person"
        ),
        'company', (
          SELECT jsonb_build_object('name', r7."name")
          FROM "public"."company" r7
          WHERE r7."id" = r1."company"
        )
      ) ORDER BY r1."id" DESC)
      FROM (
        SELECT r1.*
        FROM (
          SELECT *, ("subject_type" = 'post') AS "post", (("subject_type" = 'thread' OR "subject_type" IS NULL)) AS "about"
          FROM "public"."reaction"
        ) r1
        WHERE r1."thread" = r0."id"
        ORDER BY r1."id" DESC
        LIMIT 3
      ) r1
    ), '[]'),
    'first', (
      SELECT jsonb_build_object(
        'id', r8."id"::text,
        'post', CASE WHEN r8."post" THEN (
          SELECT jsonb_build_object(
            'id', r9."id"::text,
            'title', r9."title"
          )
          FROM "public"."post" r9
          WHERE r9."id" = r8."subject_id"
        ) END,
        'video', CASE WHEN r8."video" THEN (
          SELECT jsonb_build_object(
            'id', r10."id"::text,
            'length', r10."length"
          )
          FROM (
            SELECT *
            FROM "public"."item"
            WHERE ("kind" = 'film')
          ) r10
          WHERE r10."id" = r8."subject_id"
        ) END
      )
      FROM (
        SELECT r8.*
        FROM (
          SELECT *, ("subject_type" = 'post') AS "post", (subject_type = 'video') AS "video"
          FROM "public"."reaction"
        ) r8
        WHERE r8."thread" = r0."id"
        ORDER BY r8."id"
        LIMIT 1
      ) r8
    )
  ) AS "data"
FROM "public"."thread" r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Thread: table
CREATE TABLE IF NOT EXISTS "public"."tv_thread" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Thread: patch of first
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'first', (
        SELECT jsonb_build_object(
          'id', r1."id"::text,
          'post', CASE WHEN r1."post" THEN (
            SELECT jsonb_build_object(
              'id', r2."id"::text,
              'title', r2."title"
            )
            FROM "public"."post" r2
            WHERE r2."id" = r1."subject_id"
          ) END,
          'video', CASE WHEN r1."video" THEN (
            SELECT jsonb_build_object(
              'id', r3."id"::text,
              'length', r3."length"
            )
            FROM (
              SELECT *
              FROM "public"."item"
              WHERE ("kind" = 'film')
            ) r3
            WHERE r3."id" = r1."subject_id"
          ) END
        )
        FROM (
          SELECT r1.*
          FROM (
            SELECT *, ("subject_type" = 'post') AS "post", (subject_type = 'video') AS "video"
            FROM "public"."reaction"
          ) r1
          WHERE r1."thread" = r0."id"
          ORDER BY r1."id"
          LIMIT 1
        ) r1
      )
    ) AS "data"
  FROM "public"."thread" r0
  JOIN "public"."tv_thread" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_thread" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'first') IS DISTINCT FROM (d."data" -> 'first'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Thread: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id"::text,
      'title', r0."title"
    ) AS "data"
  FROM "public"."thread" r0
  JOIN "public"."tv_thread" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_thread" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'title') IS DISTINCT FROM (d."data" -> 'title'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- source public.company
--   reads     id, name
--   old value id

-- public.company(id) -> Reaction.company
--   matters: id, name
--   alters company alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."company" = ANY($1::text[]::bigint[]);

-- public.company(id) -> Thread.reactions.company
--   matters: id, name
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."company" = ANY($1::text[]::bigint[]);

-- source public.item
--   reads     id, kind, length, title
--   old value id

-- public.item(id) -> Song
--   matters: id, kind, title
--   the value is the key

-- public.item(id) -> Film
--   matters: id, kind, length, title
--   the value is the key

-- public.item(id) -> Post.reactions.song
--   matters: id, kind, title
SELECT DISTINCT t1."subject_id"::text AS key
FROM "public"."reaction" t1
WHERE t1."item" = ANY($1::text[]::bigint[])
  AND t1."subject_id" IS NOT NULL;

-- public.item(id) -> Reaction.video
--   matters: id, kind, length, title
--   alters video alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- public.item(id) -> Reaction.song
--   leads to: Reaction.song, Reaction.film
--   matters: id, kind, title
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."item" = ANY($1::text[]::bigint[]);

-- public.item(id) -> Thread.reactions.song
--   leads to: Thread.reactions.song, Thread.reactions.film
--   matters: id, kind, length, title
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."item" = ANY($1::text[]::bigint[]);

-- public.item(id) -> Thread.first.video
--   matters: id, kind, length
--   alters first alone
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- source public.person
--   reads     id, name
--   old value id

-- public.person(id) -> Reaction.person
--   matters: id, name
--   alters person alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."person" = ANY($1::text[]::bigint[]);

-- public.person(id) -> Thread.reactions.person
--   matters: id, name
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."person" = ANY($1::text[]::bigint[]);

-- source public.post
--   reads     id, title
--   old value id

-- public.post(id) -> Post
--   matters: id, title
--   a patch while unmoved: id
--   the value is the key

-- public.post(id) -> Reaction.post
--   matters: id, title
--   alters post alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- public.post(id) -> Reaction.echoes.post
--   matters: id, title
SELECT DISTINCT t1."echo_of"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[])
  AND t1."echo_of" IS NOT NULL;

-- public.post(id) -> Thread.reactions.post
--   leads to: Thread.reactions.post, Thread.first.post
--   matters: id, title
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- source public.reaction
--   reads     company, echo_of, id, item, person, subject_id, subject_type, thread
--   old value echo_of, id, subject_id, thread

-- public.reaction(subject_id) -> Post.reactions
--   matters: id, item, subject_id, subject_type
--   the value is the key

-- public.reaction(id) -> Reaction
--   matters: company, id, item, person, subject_id, subject_type
--   a patch while unmoved: id
--   the value is the key

-- public.reaction(echo_of) -> Reaction.echoes
--   matters: echo_of, id, subject_id, subject_type
--   the value is the key

-- public.reaction(thread) -> Thread.reactions
--   leads to: Thread.reactions, Thread.first
--   matters: company, id, item, person, subject_id, subject_type, thread
--   the value is the key

-- source public.thread
--   reads     id, title
--   old value id

-- public.thread(id) -> Reaction.about
--   matters: id, title
--   alters about alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- public.thread(id) -> Thread
--   matters: id, title
--   a patch while unmoved: id
--   the value is the key

-- public.thread(id) -> Thread.reactions.about
--   matters: id, title
SELECT DISTINCT t1."thread"::text AS key
FROM "public"."reaction" t1
WHERE t1."subject_id" = ANY($1::text[]::bigint[]);

-- replica identity of public.reaction
ALTER TABLE "public"."reaction" REPLICA IDENTITY FULL;

