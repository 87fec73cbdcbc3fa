-- User: public.tv_user from public.tb_user by id (uuid)

-- User: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'username', r0."username",
    'fullName', r0."full_name",
    'createdAt', r0."created_at",
    'posts', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r1."id",
        'title', r1."title",
        'createdAt', r1."created_at",
        'commentCount', (
          SELECT count(*)
          FROM "public"."tb_comment" r2
          WHERE r2."post_id" = r1."id"
        )
      ) ORDER BY r1."created_at" DESC, r1."id")
      FROM (
        SELECT r1.*
        FROM "public"."tb_post" r1
        WHERE r1."author_id" = r0."id"
        ORDER BY r1."created_at" DESC, r1."id"
        LIMIT 20
      ) r1
    ), '[]'),
    'postCount', (
      SELECT count(*)
      FROM "public"."tb_post" r3
      WHERE r3."author_id" = r0."id"
    )
  ) AS "data",
  r0."username" AS "username",
  r0."created_at" AS "created_at"
FROM "public"."tb_user" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- User: table
CREATE TABLE IF NOT EXISTS "public"."tv_user" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "username" text,
  "created_at" timestamp with time zone,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_user_username_idx" ON "public"."tv_user" ("username");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_user_created_at_id_idx" ON "public"."tv_user" ("created_at", "id");

-- User: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."username" AS "freshet_0",
    s."created_at" AS "freshet_1",
    jsonb_build_object(
      'id', r0."id",
      'username', r0."username",
      'fullName', r0."full_name",
      'createdAt', r0."created_at"
    ) AS "data",
    r0."username" AS "username",
    r0."created_at" AS "created_at"
  FROM "public"."tb_user" r0
  JOIN "public"."tv_user" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_user" s
SET
  "data" = d."freshet_data" || d."data",
  "username" = d."username",
  "created_at" = d."created_at",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'username') IS DISTINCT FROM (d."data" -> 'username')
    OR (d."freshet_data" -> 'fullName') IS DISTINCT FROM (d."data" -> 'fullName')
    OR (d."freshet_data" -> 'createdAt') IS DISTINCT FROM (d."data" -> 'createdAt')
    OR d."freshet_0" IS DISTINCT FROM d."username" COLLATE "default"
    OR d."freshet_1" IS DISTINCT FROM d."created_at")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."username" COLLATE "default" THEN 1 ELSE 0 END
  + CASE WHEN d."freshet_1" IS DISTINCT FROM d."created_at" THEN 2 ELSE 0 END
)::bigint AS moved;

-- Post: public.tv_post from public.tb_post by id (uuid)

-- Post: documents
SELECT
  r0."id"::text AS key,
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
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Post: table
CREATE TABLE IF NOT EXISTS "public"."tv_post" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "author_id" uuid,
  "created_at" timestamp with time zone,
  "published" boolean,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_post_author_id_created_at_id_idx" ON "public"."tv_post" ("author_id", "created_at", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_post_published_id_idx" ON "public"."tv_post" ("published", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_post_created_at_id_idx" ON "public"."tv_post" ("created_at", "id");

-- Post: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."created_at" AS "freshet_1",
    s."published" AS "freshet_2",
    jsonb_build_object(
      'id', r0."id",
      'title', r0."title",
      'content', r0."content",
      'published', r0."published",
      'createdAt', r0."created_at"
    ) AS "data",
    r0."created_at" AS "created_at",
    r0."published" AS "published"
  FROM "public"."tb_post" r0
  JOIN "public"."tv_post" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_post" s
SET
  "data" = d."freshet_data" || d."data",
  "created_at" = d."created_at",
  "published" = d."published",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'title') IS DISTINCT FROM (d."data" -> 'title')
    OR (d."freshet_data" -> 'content') IS DISTINCT FROM (d."data" -> 'content')
    OR (d."freshet_data" -> 'published') IS DISTINCT FROM (d."data" -> 'published')
    OR (d."freshet_data" -> 'createdAt') IS DISTINCT FROM (d."data" -> 'createdAt')
    OR d."freshet_1" IS DISTINCT FROM d."created_at"
    OR d."freshet_2" IS DISTINCT FROM d."published")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_1" IS DISTINCT FROM d."created_at" THEN 2 ELSE 0 END
  + CASE WHEN d."freshet_2" IS DISTINCT FROM d."published" THEN 4 ELSE 0 END
)::bigint AS moved;

-- Post: patch of author
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."author_id" AS "freshet_0",
    jsonb_build_object(
      'author', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'username', r1."username",
          'fullName', r1."full_name"
        )
        FROM "public"."tb_user" r1
        WHERE r1."id" = r0."author_id"
      )
    ) AS "data",
    r0."author_id" AS "author_id"
  FROM "public"."tb_post" r0
  JOIN "public"."tv_post" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_post" s
SET
  "data" = d."freshet_data" || d."data",
  "author_id" = d."author_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'author') IS DISTINCT FROM (d."data" -> 'author')
    OR d."freshet_0" IS DISTINCT FROM d."author_id")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."author_id" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Comment: public.tv_comment from public.tb_comment by id (uuid)

-- Comment: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'content', r0."content",
    'createdAt', r0."created_at",
    'post', jsonb_build_object('id', r0."post_id"),
    'author', (
      SELECT jsonb_build_object(
        'id', r2."id",
        'username', r2."username"
      )
      FROM "public"."tb_user" r2
      WHERE r2."id" = r0."author_id"
    )
  ) AS "data",
  r0."created_at" AS "created_at"
FROM "public"."tb_comment" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Comment: table
CREATE TABLE IF NOT EXISTS "public"."tv_comment" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "created_at" timestamp with time zone,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_comment_created_at_id_idx" ON "public"."tv_comment" ("created_at", "id");

-- Comment: patch of author
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'author', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'username', r1."username"
        )
        FROM "public"."tb_user" r1
        WHERE r1."id" = r0."author_id"
      )
    ) AS "data"
  FROM "public"."tb_comment" r0
  JOIN "public"."tv_comment" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_comment" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'author') IS DISTINCT FROM (d."data" -> 'author'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- source public.tb_comment
--   reads     author_id, content, created_at, id, post_id
--   old value id, post_id

-- public.tb_comment(post_id) -> User.posts.commentCount
--   matters: post_id
SELECT DISTINCT t1."author_id"::text AS key
FROM "public"."tb_post" t1
WHERE t1."id" = ANY($1::text[]::uuid[]);

-- public.tb_comment(post_id) -> Post.comments
--   leads to: Post.comments, Post.commentCount
--   matters: author_id, content, created_at, id, post_id
--   the value is the key

-- public.tb_comment(id) -> Comment
--   matters: author_id, content, created_at, id, post_id
--   the value is the key

-- source public.tb_post
--   reads     author_id, content, created_at, id, published, title
--   old value author_id, id

-- public.tb_post(author_id) -> User.posts
--   leads to: User.posts, User.postCount
--   matters: author_id, created_at, id, title
--   the value is the key

-- public.tb_post(id) -> Post
--   matters: author_id, content, created_at, id, published, title
--   a patch while unmoved: author_id, id
--   the value is the key

-- source public.tb_user
--   reads     created_at, full_name, id, username
--   old value id

-- public.tb_user(id) -> User
--   matters: created_at, full_name, id, username
--   a patch while unmoved: id
--   the value is the key

-- public.tb_user(id) -> Post.author
--   matters: full_name, id, username
--   alters author alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_post" t1
WHERE t1."author_id" = ANY($1::text[]::uuid[]);

-- public.tb_user(id) -> Post.comments.author
--   matters: id, username
SELECT DISTINCT t1."post_id"::text AS key
FROM "public"."tb_comment" t1
WHERE t1."author_id" = ANY($1::text[]::uuid[]);

-- public.tb_user(id) -> Comment.author
--   matters: id, username
--   alters author alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_comment" t1
WHERE t1."author_id" = ANY($1::text[]::uuid[]);

-- replica identity of public.tb_comment
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "tb_comment_id_post_id_freshet_identity" ON "public"."tb_comment" ("id", "post_id");
ALTER TABLE "public"."tb_comment" REPLICA IDENTITY USING INDEX "tb_comment_id_post_id_freshet_identity";

-- replica identity of public.tb_post
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "tb_post_id_author_id_freshet_identity" ON "public"."tb_post" ("id", "author_id");
ALTER TABLE "public"."tb_post" REPLICA IDENTITY USING INDEX "tb_post_id_author_id_freshet_identity";

