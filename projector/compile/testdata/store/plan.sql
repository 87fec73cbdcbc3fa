-- Region: public.tv_region from public.region by id (integer)

-- Region: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'name', r0."name",
    'loud', r0."loud",
    'info', r0."info",
    'depots', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('title', r1."title") ORDER BY r1."area", r1."number")
      FROM "public"."depot" r1
      WHERE r1."region" = r0."id"
    ), '[]'),
    'depotCount', (
      SELECT count(*)
      FROM "public"."depot" r2
      WHERE r2."region" = r0."id"
    )
  ) AS "data"
FROM (
  SELECT *, (upper(name) || '!') AS "loud"
  FROM "public"."region"
  WHERE (NOT hidden)
) r0
WHERE r0."id" = ANY($1::text[]::integer[]);

-- Region: table
CREATE TABLE IF NOT EXISTS "public"."tv_region" (
  "id" integer PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Region: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id"::text,
      'name', r0."name",
      'loud', r0."loud",
      'info', r0."info"
    ) AS "data"
  FROM (
    SELECT *, (upper(name) || '!') AS "loud"
    FROM "public"."region"
    WHERE (NOT hidden)
  ) r0
  JOIN "public"."tv_region" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::integer[])
)
UPDATE "public"."tv_region" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'name') IS DISTINCT FROM (d."data" -> 'name')
    OR (d."freshet_data" -> 'loud') IS DISTINCT FROM (d."data" -> 'loud')
    OR (d."freshet_data" -> 'info')::text IS DISTINCT FROM (d."data" -> 'info')::text)
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Maker: public.tv_maker from public.maker by id (uuid)

-- Maker: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'name', r0."name",
    'items', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'code', r1."code",
        'title', r1."title"
      ) ORDER BY r1."title", r1."code")
      FROM (
        SELECT r1.*
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE (NOT archived)
        ) r1
        WHERE r1."maker" = r0."id"
        ORDER BY r1."title", r1."code"
        LIMIT 3
      ) r1
    ), '[]'),
    'itemCount', (
      SELECT count(*)
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE (NOT archived)
      ) r2
      WHERE r2."maker" = r0."id"
    )
  ) AS "data"
FROM (
  SELECT *
  FROM "public"."maker"
  WHERE (NOT gone)
) r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Maker: table
CREATE TABLE IF NOT EXISTS "public"."tv_maker" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Maker: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'id', r0."id",
      'name', r0."name"
    ) AS "data"
  FROM (
    SELECT *
    FROM "public"."maker"
    WHERE (NOT gone)
  ) r0
  JOIN "public"."tv_maker" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_maker" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'name') IS DISTINCT FROM (d."data" -> 'name'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Label: public.tv_label from public.label by serial (integer)

-- Label: documents
SELECT
  r0."serial"::text AS key,
  jsonb_build_object(
    'serial', r0."serial"::text,
    'text', r0."text",
    'offer', (
      SELECT jsonb_build_object('price', r1."price"::text)
      FROM (
        SELECT r1.*
        FROM "public"."offer" r1
        WHERE r1."serial" = r0."serial"
        ORDER BY r1."price", r1."id"
        LIMIT 1
      ) r1
    ),
    'item', (
      SELECT jsonb_build_object(
        'code', r2."code",
        'title', r2."title",
        'depot', (
          SELECT jsonb_build_object(
            'title', r3."title",
            'region', (
              SELECT jsonb_build_object(
                'id', r4."id"::text,
                'name', r4."name"
              )
              FROM (
                SELECT *
                FROM "public"."region"
                WHERE (NOT hidden)
              ) r4
              WHERE r4."id" = r3."region"
            )
          )
          FROM "public"."depot" r3
          WHERE r3."area" = r2."area"
            AND r3."number" = r2."number"
        )
      )
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE (NOT archived)
      ) r2
      WHERE r2."code" = r0."item"
    )
  ) AS "data"
FROM "public"."label" r0
WHERE r0."serial" = ANY($1::text[]::integer[]);

-- Label: table
CREATE TABLE IF NOT EXISTS "public"."tv_label" (
  "serial" integer PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Label: patch of item
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'item', (
        SELECT jsonb_build_object(
          'code', r1."code",
          'title', r1."title",
          'depot', (
            SELECT jsonb_build_object(
              'title', r2."title",
              'region', (
                SELECT jsonb_build_object(
                  'id', r3."id"::text,
                  'name', r3."name"
                )
                FROM (
                  SELECT *
                  FROM "public"."region"
                  WHERE (NOT hidden)
                ) r3
                WHERE r3."id" = r2."region"
              )
            )
            FROM "public"."depot" r2
            WHERE r2."area" = r1."area"
              AND r2."number" = r1."number"
          )
        )
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE (NOT archived)
        ) r1
        WHERE r1."code" = r0."item"
      )
    ) AS "data"
  FROM "public"."label" r0
  JOIN "public"."tv_label" s ON s."serial" = r0."serial"
  WHERE r0."serial" = ANY($1::text[]::integer[])
)
UPDATE "public"."tv_label" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'item') IS DISTINCT FROM (d."data" -> 'item'))
RETURNING 'u'::"char" AS op, s."serial"::text AS key, 0::bigint AS moved;

-- Item: public.tv_item from public.item by code (character varying(20))

-- Item: documents
SELECT
  r0."code"::text AS key,
  jsonb_build_object(
    'code', r0."code",
    'title', r0."title",
    'length', r0."length",
    'depot', (
      SELECT jsonb_build_object(
        'title', r1."title",
        'region', (
          SELECT jsonb_build_object(
            'id', r2."id"::text,
            'name', r2."name",
            'loud', r2."loud",
            'info', r2."info",
            'depotCount', (
              SELECT count(*)
              FROM "public"."depot" r3
              WHERE r3."region" = r2."id"
            )
          )
          FROM (
            SELECT *, (upper(name) || '!') AS "loud"
            FROM "public"."region"
            WHERE (NOT hidden)
          ) r2
          WHERE r2."id" = r1."region"
        )
      )
      FROM "public"."depot" r1
      WHERE r1."area" = r0."area"
        AND r1."number" = r0."number"
    ),
    'maker', (
      SELECT jsonb_build_object(
        'id', r4."id",
        'name', r4."name",
        'items', COALESCE((
          SELECT jsonb_agg(jsonb_build_object(
            'code', r5."code",
            'title', r5."title"
          ) ORDER BY r5."title", r5."code")
          FROM (
            SELECT r5.*
            FROM (
              SELECT *
              FROM "public"."item"
              WHERE (NOT archived)
            ) r5
            WHERE r5."maker" = r4."id"
            ORDER BY r5."title", r5."code"
            LIMIT 3
          ) r5
        ), '[]'),
        'itemCount', (
          SELECT count(*)
          FROM (
            SELECT *
            FROM "public"."item"
            WHERE (NOT archived)
          ) r6
          WHERE r6."maker" = r4."id"
        )
      )
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r4
      WHERE r4."id" = r0."maker"
    ),
    'owner', (
      SELECT jsonb_build_object(
        'id', r7."id",
        'name', r7."name"
      )
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r7
      WHERE r7."id" = r0."owner"
    ),
    'keeper', (
      SELECT jsonb_build_object(
        'id', r8."id",
        'name', r8."name"
      )
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r8
      WHERE r8."id" = r0."owner"
    ),
    'null', (
      SELECT jsonb_build_object(
        'id', r9."id",
        'name', r9."name"
      )
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r9
      WHERE r9."id" = r0."seller"
    ),
    'label', (
      SELECT jsonb_build_object(
        'serial', r10."serial"::text,
        'text', r10."text",
        'offer', (
          SELECT jsonb_build_object('price', r11."price"::text)
          FROM (
            SELECT r11.*
            FROM "public"."offer" r11
            WHERE r11."serial" = r10."serial"
            ORDER BY r11."price", r11."id"
            LIMIT 1
          ) r11
        )
      )
      FROM "public"."label" r10
      WHERE r10."item" = r0."code"
    )
  ) AS "data",
  (
    SELECT (
      SELECT r13."loud"
      FROM (
        SELECT *, (upper(name) || '!') AS "loud"
        FROM "public"."region"
        WHERE (NOT hidden)
      ) r13
      WHERE r13."id" = r12."region"
    )
    FROM "public"."depot" r12
    WHERE r12."area" = r0."area"
      AND r12."number" = r0."number"
  ) AS "depot_region_loud",
  r0."title" AS "title",
  (
    SELECT (
      SELECT count(*)
      FROM (
        SELECT *
        FROM "public"."item"
        WHERE (NOT archived)
      ) r15
      WHERE r15."maker" = r14."id"
    )
    FROM (
      SELECT *
      FROM "public"."maker"
      WHERE (NOT gone)
    ) r14
    WHERE r14."id" = r0."maker"
  ) AS "maker_item_count",
  (
    SELECT r16."name"
    FROM (
      SELECT *
      FROM "public"."maker"
      WHERE (NOT gone)
    ) r16
    WHERE r16."id" = r0."maker"
  ) AS "maker_name",
  (
    SELECT r17."name"
    FROM (
      SELECT *
      FROM "public"."maker"
      WHERE (NOT gone)
    ) r17
    WHERE r17."id" = r0."owner"
  ) AS "owner_name",
  (
    SELECT r18."id"
    FROM (
      SELECT *
      FROM "public"."maker"
      WHERE (NOT gone)
    ) r18
    WHERE r18."id" = r0."seller"
  ) AS "null_id"
FROM (
  SELECT *, (length(title)) AS "length"
  FROM "public"."item"
  WHERE (NOT archived)
) r0
WHERE r0."code" = ANY($1::text[]);

-- Item: table
CREATE TABLE IF NOT EXISTS "public"."tv_item" (
  "code" character varying(20) PRIMARY KEY,
  "data" jsonb NOT NULL,
  "depot_region_loud" text,
  "title" text,
  "maker_item_count" bigint,
  "maker_name" text,
  "owner_name" text,
  "null_id" uuid,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_item_depot_region_loud_title_code_idx" ON "public"."tv_item" ("depot_region_loud", "title", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_item_maker_item_count_code_idx" ON "public"."tv_item" ("maker_item_count", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_item_maker_name_code_idx" ON "public"."tv_item" ("maker_name", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_item_owner_name_code_idx" ON "public"."tv_item" ("owner_name", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_item_null_id_code_idx" ON "public"."tv_item" ("null_id", "code");

-- Item: patch of depot
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."depot_region_loud" AS "freshet_0",
    jsonb_build_object(
      'depot', (
        SELECT jsonb_build_object(
          'title', r1."title",
          'region', (
            SELECT jsonb_build_object(
              'id', r2."id"::text,
              'name', r2."name",
              'loud', r2."loud",
              'info', r2."info",
              'depotCount', (
                SELECT count(*)
                FROM "public"."depot" r3
                WHERE r3."region" = r2."id"
              )
            )
            FROM (
              SELECT *, (upper(name) || '!') AS "loud"
              FROM "public"."region"
              WHERE (NOT hidden)
            ) r2
            WHERE r2."id" = r1."region"
          )
        )
        FROM "public"."depot" r1
        WHERE r1."area" = r0."area"
          AND r1."number" = r0."number"
      )
    ) AS "data",
    (
      SELECT (
        SELECT r5."loud"
        FROM (
          SELECT *, (upper(name) || '!') AS "loud"
          FROM "public"."region"
          WHERE (NOT hidden)
        ) r5
        WHERE r5."id" = r4."region"
      )
      FROM "public"."depot" r4
      WHERE r4."area" = r0."area"
        AND r4."number" = r0."number"
    ) AS "depot_region_loud"
  FROM (
    SELECT *
    FROM "public"."item"
    WHERE (NOT archived)
  ) r0
  JOIN "public"."tv_item" s ON s."code" = r0."code" COLLATE "default"
  WHERE r0."code" = ANY($1::text[])
)
UPDATE "public"."tv_item" s
SET
  "data" = d."freshet_data" || d."data",
  "depot_region_loud" = d."depot_region_loud",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'depot')::text IS DISTINCT FROM (d."data" -> 'depot')::text
    OR d."freshet_0" IS DISTINCT FROM d."depot_region_loud" COLLATE "default")
RETURNING 'u'::"char" AS op, s."code"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."depot_region_loud" COLLATE "default" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Item: patch of maker
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."maker_item_count" AS "freshet_2",
    s."maker_name" AS "freshet_3",
    jsonb_build_object(
      'maker', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'name', r1."name",
          'items', COALESCE((
            SELECT jsonb_agg(jsonb_build_object(
              'code', r2."code",
              'title', r2."title"
            ) ORDER BY r2."title", r2."code")
            FROM (
              SELECT r2.*
              FROM (
                SELECT *
                FROM "public"."item"
                WHERE (NOT archived)
              ) r2
              WHERE r2."maker" = r1."id"
              ORDER BY r2."title", r2."code"
              LIMIT 3
            ) r2
          ), '[]'),
          'itemCount', (
            SELECT count(*)
            FROM (
              SELECT *
              FROM "public"."item"
              WHERE (NOT archived)
            ) r3
            WHERE r3."maker" = r1."id"
          )
        )
        FROM (
          SELECT *
          FROM "public"."maker"
          WHERE (NOT gone)
        ) r1
        WHERE r1."id" = r0."maker"
      )
    ) AS "data",
    (
      SELECT (
        SELECT count(*)
        FROM (
          SELECT *
          FROM "public"."item"
          WHERE (NOT archived)
        ) r5
        WHERE r5."maker" = r4."id"
      )
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r4
      WHERE r4."id" = r0."maker"
    ) AS "maker_item_count",
    (
      SELECT r6."name"
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r6
      WHERE r6."id" = r0."maker"
    ) AS "maker_name"
  FROM (
    SELECT *
    FROM "public"."item"
    WHERE (NOT archived)
  ) r0
  JOIN "public"."tv_item" s ON s."code" = r0."code" COLLATE "default"
  WHERE r0."code" = ANY($1::text[])
)
UPDATE "public"."tv_item" s
SET
  "data" = d."freshet_data" || d."data",
  "maker_item_count" = d."maker_item_count",
  "maker_name" = d."maker_name",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'maker') IS DISTINCT FROM (d."data" -> 'maker')
    OR d."freshet_2" IS DISTINCT FROM d."maker_item_count"
    OR d."freshet_3" IS DISTINCT FROM d."maker_name" COLLATE "default")
RETURNING 'u'::"char" AS op, s."code"::text AS key, (
  CASE WHEN d."freshet_2" IS DISTINCT FROM d."maker_item_count" THEN 4 ELSE 0 END
  + CASE WHEN d."freshet_3" IS DISTINCT FROM d."maker_name" COLLATE "default" THEN 8 ELSE 0 END
)::bigint AS moved;

-- Item: patch of null
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."null_id" AS "freshet_5",
    jsonb_build_object(
      'null', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'name', r1."name"
        )
        FROM (
          SELECT *
          FROM "public"."maker"
          WHERE (NOT gone)
        ) r1
        WHERE r1."id" = r0."seller"
      )
    ) AS "data",
    (
      SELECT r2."id"
      FROM (
        SELECT *
        FROM "public"."maker"
        WHERE (NOT gone)
      ) r2
      WHERE r2."id" = r0."seller"
    ) AS "null_id"
  FROM (
    SELECT *
    FROM "public"."item"
    WHERE (NOT archived)
  ) r0
  JOIN "public"."tv_item" s ON s."code" = r0."code" COLLATE "default"
  WHERE r0."code" = ANY($1::text[])
)
UPDATE "public"."tv_item" s
SET
  "data" = d."freshet_data" || d."data",
  "null_id" = d."null_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'null') IS DISTINCT FROM (d."data" -> 'null')
    OR d."freshet_5" IS DISTINCT FROM d."null_id")
RETURNING 'u'::"char" AS op, s."code"::text AS key, (
  CASE WHEN d."freshet_5" IS DISTINCT FROM d."null_id" THEN 32 ELSE 0 END
)::bigint AS moved;

-- Item: patch of label
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'label', (
        SELECT jsonb_build_object(
          'serial', r1."serial"::text,
          'text', r1."text",
          'offer', (
            SELECT jsonb_build_object('price', r2."price"::text)
            FROM (
              SELECT r2.*
              FROM "public"."offer" r2
              WHERE r2."serial" = r1."serial"
              ORDER BY r2."price", r2."id"
              LIMIT 1
            ) r2
          )
        )
        FROM "public"."label" r1
        WHERE r1."item" = r0."code"
      )
    ) AS "data"
  FROM (
    SELECT *
    FROM "public"."item"
    WHERE (NOT archived)
  ) r0
  JOIN "public"."tv_item" s ON s."code" = r0."code" COLLATE "default"
  WHERE r0."code" = ANY($1::text[])
)
UPDATE "public"."tv_item" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'label') IS DISTINCT FROM (d."data" -> 'label'))
RETURNING 'u'::"char" AS op, s."code"::text AS key, 0::bigint AS moved;

-- source public.depot
--   reads     area, number, region, title
--   old value area, number, region

-- public.depot(region) -> Region.depots
--   leads to: Region.depots, Region.depotCount
--   matters: area, number, region, title
--   the value is the key

-- public.depot(area, number) -> Label.item.depot
--   matters: area, number, region, title
--   alters item alone
SELECT DISTINCT t2."serial"::text AS key
FROM unnest($1::text[], $2::text[]::integer[]) AS v(c1, c2)
JOIN "public"."item" t1 ON t1."area" = v.c1 AND t1."number" = v.c2
JOIN "public"."label" t2 ON t2."item" = t1."code";

-- public.depot(area, number) -> Item.depot
--   matters: area, number, region, title
--   alters depot alone
SELECT DISTINCT t1."code"::text AS key
FROM unnest($1::text[], $2::text[]::integer[]) AS v(c1, c2)
JOIN "public"."item" t1 ON t1."area" = v.c1 AND t1."number" = v.c2;

-- public.depot(region) -> Item.depot.region.depotCount
--   matters: region
--   alters depot alone
SELECT DISTINCT t2."code"::text AS key
FROM "public"."depot" t1
JOIN "public"."item" t2 ON t2."area" = t1."area" AND t2."number" = t1."number"
WHERE t1."region" = ANY($1::text[]::integer[]);

-- source public.item
--   reads     archived, area, code, maker, number, owner, seller, title
--   old value code, maker

-- public.item(maker) -> Maker.items
--   leads to: Maker.items, Maker.itemCount
--   matters: archived, code, maker, title
--   the value is the key

-- public.item(code) -> Label.item
--   matters: archived, area, code, number, title
--   alters item alone
SELECT DISTINCT t1."serial"::text AS key
FROM "public"."label" t1
WHERE t1."item" = ANY($1::text[]);

-- public.item(code) -> Item
--   matters: archived, area, code, maker, number, owner, seller, title
--   the value is the key

-- public.item(maker) -> Item.maker.items
--   leads to: Item.maker.items, Item.maker.itemCount
--   matters: archived, code, maker, title
--   alters maker alone
SELECT DISTINCT t1."code"::text AS key
FROM "public"."item" t1
WHERE t1."maker" = ANY($1::text[]::uuid[]);

-- source public.label
--   reads     item, serial, text
--   old value item, serial

-- public.label(serial) -> Label
--   matters: item, serial, text
--   the value is the key

-- public.label(item) -> Item.label
--   matters: item, serial, text
--   the value is the key

-- source public.maker
--   reads     gone, id, name
--   old value id

-- public.maker(id) -> Maker
--   matters: gone, id, name
--   a patch while unmoved: gone, id
--   the value is the key

-- public.maker(id) -> Item.maker
--   matters: gone, id, name
--   alters maker alone
SELECT DISTINCT t1."code"::text AS key
FROM "public"."item" t1
WHERE t1."maker" = ANY($1::text[]::uuid[]);

-- public.maker(id) -> Item.owner
--   leads to: Item.owner, Item.keeper
--   matters: gone, id, name
SELECT DISTINCT t1."code"::text AS key
FROM "public"."item" t1
WHERE t1."owner" = ANY($1::text[]::uuid[]);

-- public.maker(id) -> Item.null
--   matters: gone, id, name
--   alters null alone
SELECT DISTINCT t1."code"::text AS key
FROM "public"."item" t1
WHERE t1."seller" = ANY($1::text[]::uuid[]);

-- source public.offer
--   reads     id, price, serial
--   old value id, serial

-- public.offer(serial) -> Label.offer
--   matters: id, price, serial
--   the value is the key

-- public.offer(serial) -> Item.label.offer
--   matters: id, price, serial
--   alters label alone
SELECT DISTINCT t1."item"::text AS key
FROM "public"."label" t1
WHERE t1."serial" = ANY($1::text[]::integer[]);

-- source public.region
--   reads     hidden, id, info, name
--   old value id

-- public.region(id) -> Region
--   matters: hidden, id, info, name
--   a patch while unmoved: hidden, id
--   the value is the key

-- public.region(id) -> Label.item.depot.region
--   matters: hidden, id, name
--   alters item alone
SELECT DISTINCT t3."serial"::text AS key
FROM "public"."depot" t1
JOIN "public"."item" t2 ON t2."area" = t1."area" AND t2."number" = t1."number"
JOIN "public"."label" t3 ON t3."item" = t2."code"
WHERE t1."region" = ANY($1::text[]::integer[]);

-- public.region(id) -> Item.depot.region
--   matters: hidden, id, info, name
--   alters depot alone
SELECT DISTINCT t2."code"::text AS key
FROM "public"."depot" t1
JOIN "public"."item" t2 ON t2."area" = t1."area" AND t2."number" = t1."number"
WHERE t1."region" = ANY($1::text[]::integer[]);

-- replica identity of public.depot
ALTER TABLE "public"."depot" REPLICA IDENTITY FULL;

-- replica identity of public.item
ALTER TABLE "public"."item" REPLICA IDENTITY FULL;

-- replica identity of public.label
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "label_serial_item_freshet_identity" ON "public"."label" ("serial", "item");
ALTER TABLE "public"."label" REPLICA IDENTITY USING INDEX "label_serial_item_freshet_identity";

-- replica identity of public.offer
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "offer_id_serial_freshet_identity" ON "public"."offer" ("id", "serial");
ALTER TABLE "public"."offer" REPLICA IDENTITY USING INDEX "offer_id_serial_freshet_identity";

