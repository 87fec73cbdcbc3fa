-- Company: public.tv_company from public.tb_company by id (uuid)

-- Company: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'number', r0."pk_company",
    'name', r0."name",
    'mood', r0."mood"::text,
    'people', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r1."id",
        'fullName', r1."fullName"
      ) ORDER BY r1."last_name" NULLS LAST, r1."id")
      FROM (
        SELECT r1.*
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."fk_company" = r0."pk_company"
        ORDER BY r1."last_name" NULLS LAST, r1."id"
        LIMIT 3
      ) r1
    ), '[]'),
    'headcount', (
      SELECT count(*)
      FROM (
        SELECT *
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r2
      WHERE r2."fk_company" = r0."pk_company"
    ),
    'everybody', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('id', r3."id") ORDER BY r3."id")
      FROM (
        SELECT *
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
          AND (first_name <> 'Zoe')
      ) r3
      WHERE r3."fk_company" = r0."pk_company"
    ), '[]')
  ) AS "data",
  r0."mood" AS "mood",
  r0."name" AS "name"
FROM "public"."tb_company" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Company: table
CREATE TABLE IF NOT EXISTS "public"."tv_company" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "mood" app.mood,
  "name" text,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_company_mood_name_id_idx" ON "public"."tv_company" ("mood", "name", "id");

-- Company: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."mood" AS "freshet_0",
    s."name" AS "freshet_1",
    jsonb_build_object(
      'id', r0."id",
      'number', r0."pk_company",
      'name', r0."name",
      'mood', r0."mood"::text
    ) AS "data",
    r0."mood" AS "mood",
    r0."name" AS "name"
  FROM "public"."tb_company" r0
  JOIN "public"."tv_company" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_company" s
SET
  "data" = d."freshet_data" || d."data",
  "mood" = d."mood",
  "name" = d."name",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'number') IS DISTINCT FROM (d."data" -> 'number')
    OR (d."freshet_data" -> 'name') IS DISTINCT FROM (d."data" -> 'name')
    OR (d."freshet_data" -> 'mood') IS DISTINCT FROM (d."data" -> 'mood')
    OR d."freshet_0" IS DISTINCT FROM d."mood"
    OR d."freshet_1" IS DISTINCT FROM d."name" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."mood" THEN 1 ELSE 0 END
  + CASE WHEN d."freshet_1" IS DISTINCT FROM d."name" COLLATE "default" THEN 2 ELSE 0 END
)::bigint AS moved;

-- Person: public.tv_person from public.tb_person by id (uuid)

-- Person: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'email', r0."email",
    'firstName', r0."first_name",
    'lastName', r0."last_name",
    'fullName', r0."fullName",
    'company', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'name', r1."name"
      )
      FROM "public"."tb_company" r1
      WHERE r1."pk_company" = r0."fk_company"
    ),
    'manager', (
      SELECT jsonb_build_object(
        'id', r2."id",
        'fullName', r2."fullName",
        'company', (
          SELECT jsonb_build_object(
            'id', r3."id",
            'name', r3."name"
          )
          FROM "public"."tb_company" r3
          WHERE r3."pk_company" = r2."fk_company"
        )
      )
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r2
      WHERE r2."pk_person" = r0."fk_manager"
    ),
    'reports', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('id', r4."id") ORDER BY r4."id")
      FROM (
        SELECT *
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r4
      WHERE r4."fk_manager" = r0."pk_person"
    ), '[]'),
    'profile', (
      SELECT jsonb_build_object(
        'id', r5."id",
        'bio', r5."bio"
      )
      FROM "public"."tb_profile" r5
      WHERE r5."person" = r0."pk_person"
    ),
    'reported', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r6."id"::text,
        'title', r6."title",
        'tags', COALESCE((
          SELECT jsonb_agg(jsonb_build_object(
            'code', r7."code",
            'label', r7."label"
          ) ORDER BY r7."code")
          FROM "public"."tb_ticket_tag" j7
          JOIN "public"."tb_tag" r7 ON r7."code" = j7."tag_code"
          WHERE j7."ticket_id" = r6."id"
        ), '[]'),
        'assignee', (
          SELECT jsonb_build_object(
            'id', r8."id",
            'email', r8."email"
          )
          FROM (
            SELECT *
            FROM "public"."tb_person"
            WHERE (deleted_at IS NULL)
          ) r8
          WHERE r8."pk_person" = r6."assignee"
        )
      ) ORDER BY r6."priority" DESC, r6."created_at", r6."id")
      FROM (
        SELECT r6.*
        FROM (
          SELECT *
          FROM "public"."tb_ticket"
          WHERE ("closed" = false)
        ) r6
        WHERE r6."reporter" = r0."pk_person"
        ORDER BY r6."priority" DESC, r6."created_at", r6."id"
        LIMIT 5
      ) r6
    ), '[]'),
    'assigned', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('id', r9."id"::text) ORDER BY r9."id")
      FROM "public"."tb_ticket" r9
      WHERE r9."assignee" = r0."pk_person"
    ), '[]'),
    'openCount', (
      SELECT count(*)
      FROM (
        SELECT *
        FROM "public"."tb_ticket"
        WHERE ("closed" = false)
      ) r10
      WHERE r10."reporter" = r0."pk_person"
    ),
    'assignedPoints', (
      SELECT sum(r11."points")::text
      FROM "public"."tb_ticket" r11
      WHERE r11."assignee" = r0."pk_person"
    ),
    'assignedHours', (
      SELECT CASE WHEN abs(avg(r12."hours" ORDER BY r12."hours")) < 'Infinity' THEN avg(r12."hours" ORDER BY r12."hours") END
      FROM "public"."tb_ticket" r12
      WHERE r12."assignee" = r0."pk_person"
    ),
    'assignedMean', (
      SELECT avg(r13."points")::float8
      FROM "public"."tb_ticket" r13
      WHERE r13."assignee" = r0."pk_person"
    ),
    'assignedCost', (
      SELECT sum(r14."cost")::text
      FROM "public"."tb_ticket" r14
      WHERE r14."assignee" = r0."pk_person"
    ),
    'cheapest', (
      SELECT min(r15."cost" ORDER BY r15."cost"::text COLLATE "C")::text
      FROM "public"."tb_ticket" r15
      WHERE r15."assignee" = r0."pk_person"
    ),
    'latest', (
      SELECT (max(r16."created_at") AT TIME ZONE 'UTC')
      FROM "public"."tb_ticket" r16
      WHERE r16."assignee" = r0."pk_person"
    ),
    'longest', (
      SELECT max(r17."titleLength")
      FROM (
        SELECT *, (length(title)) AS "titleLength"
        FROM "public"."tb_ticket"
      ) r17
      WHERE r17."assignee" = r0."pk_person"
    ),
    'watched', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('id', j18."ticket"::text) ORDER BY j18."ticket" DESC)
      FROM (
        SELECT j18.*
        FROM "public"."tb_watch" j18
        WHERE j18."person" = r0."pk_person"
          AND j18."ticket" IS NOT NULL
        ORDER BY j18."ticket" DESC
        LIMIT 4
      ) j18
    ), '[]'),
    'watchCount', (
      SELECT count(*)
      FROM "public"."tb_watch" j19
      WHERE j19."person" = r0."pk_person"
        AND j19."ticket" IS NOT NULL
    ),
    'pupils', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r20."id",
        'fullName', r20."fullName"
      ) ORDER BY r20."fullName" NULLS LAST, r20."id")
      FROM (
        SELECT r20.*
        FROM "public"."tb_mentor" j20
        JOIN (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r20 ON r20."pk_person" = j20."pupil"
        WHERE j20."mentor" = r0."pk_person"
        ORDER BY r20."fullName" NULLS LAST, r20."id"
        LIMIT 3
      ) r20
    ), '[]'),
    'orders', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'id', r21."id",
        'number', r21."number",
        'lines', COALESCE((
          SELECT jsonb_agg(jsonb_build_object(
            'line', r22."line",
            'quantity', r22."quantity",
            'product', (
              SELECT jsonb_build_object(
                'id', r23."id"::text,
                'name', r23."name"
              )
              FROM "public"."tb_product" r23
              WHERE r23."id" = r22."product_id"
            )
          ) ORDER BY r22."order_region", r22."order_number", r22."line")
          FROM "public"."tb_order_line" r22
          WHERE r22."order_region" = r21."region"
            AND r22."order_number" = r21."number"
        ), '[]')
      ) ORDER BY r21."id")
      FROM "public"."tb_order" r21
      WHERE r21."customer" = r0."pk_person"
    ), '[]')
  ) AS "data",
  (
    SELECT r24."id"
    FROM "public"."tb_company" r24
    WHERE r24."pk_company" = r0."fk_company"
  ) AS "company_id",
  r0."fullName" AS "full_name",
  (
    SELECT (
      SELECT r26."name"
      FROM "public"."tb_company" r26
      WHERE r26."pk_company" = r25."fk_company"
    )
    FROM (
      SELECT *
      FROM "public"."tb_person"
      WHERE (deleted_at IS NULL)
    ) r25
    WHERE r25."pk_person" = r0."fk_manager"
  ) AS "manager_company_name",
  (
    SELECT r27."id"
    FROM "public"."tb_profile" r27
    WHERE r27."person" = r0."pk_person"
  ) AS "profile_id",
  r0."email" AS "email",
  r0."last_name" AS "last_name",
  (
    SELECT count(*)
    FROM (
      SELECT *
      FROM "public"."tb_ticket"
      WHERE ("closed" = false)
    ) r28
    WHERE r28."reporter" = r0."pk_person"
  ) AS "open_count",
  (
    SELECT avg(r29."points")::float8
    FROM "public"."tb_ticket" r29
    WHERE r29."assignee" = r0."pk_person"
  ) AS "assigned_mean"
FROM (
  SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
  FROM "public"."tb_person"
  WHERE (deleted_at IS NULL)
) r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Person: table
CREATE TABLE IF NOT EXISTS "public"."tv_person" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "company_id" uuid,
  "full_name" text,
  "manager_company_name" text,
  "profile_id" uuid,
  "email" text,
  "last_name" text,
  "open_count" bigint,
  "assigned_mean" double precision,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_company_id_full_name_id_idx" ON "public"."tv_person" ("company_id", "full_name", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_manager_company_name_id_idx" ON "public"."tv_person" ("manager_company_name", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_profile_id_id_idx" ON "public"."tv_person" ("profile_id", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_data_idx" ON "public"."tv_person" USING gin ("data" jsonb_path_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_email_idx" ON "public"."tv_person" ("email");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_last_name_id_idx" ON "public"."tv_person" ("last_name", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_open_count_id_idx" ON "public"."tv_person" ("open_count", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_person_assigned_mean_id_idx" ON "public"."tv_person" ("assigned_mean", "id");

-- Person: patch of company
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."company_id" AS "freshet_0",
    jsonb_build_object(
      'company', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'name', r1."name"
        )
        FROM "public"."tb_company" r1
        WHERE r1."pk_company" = r0."fk_company"
      )
    ) AS "data",
    (
      SELECT r2."id"
      FROM "public"."tb_company" r2
      WHERE r2."pk_company" = r0."fk_company"
    ) AS "company_id"
  FROM (
    SELECT *
    FROM "public"."tb_person"
    WHERE (deleted_at IS NULL)
  ) r0
  JOIN "public"."tv_person" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_person" s
SET
  "data" = d."freshet_data" || d."data",
  "company_id" = d."company_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'company') IS DISTINCT FROM (d."data" -> 'company')
    OR d."freshet_0" IS DISTINCT FROM d."company_id")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."company_id" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Person: patch of manager
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."manager_company_name" AS "freshet_2",
    jsonb_build_object(
      'manager', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'fullName', r1."fullName",
          'company', (
            SELECT jsonb_build_object(
              'id', r2."id",
              'name', r2."name"
            )
            FROM "public"."tb_company" r2
            WHERE r2."pk_company" = r1."fk_company"
          )
        )
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."pk_person" = r0."fk_manager"
      )
    ) AS "data",
    (
      SELECT (
        SELECT r4."name"
        FROM "public"."tb_company" r4
        WHERE r4."pk_company" = r3."fk_company"
      )
      FROM (
        SELECT *
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r3
      WHERE r3."pk_person" = r0."fk_manager"
    ) AS "manager_company_name"
  FROM (
    SELECT *
    FROM "public"."tb_person"
    WHERE (deleted_at IS NULL)
  ) r0
  JOIN "public"."tv_person" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_person" s
SET
  "data" = d."freshet_data" || d."data",
  "manager_company_name" = d."manager_company_name",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'manager') IS DISTINCT FROM (d."data" -> 'manager')
    OR d."freshet_2" IS DISTINCT FROM d."manager_company_name" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_2" IS DISTINCT FROM d."manager_company_name" COLLATE "default" THEN 4 ELSE 0 END
)::bigint AS moved;

-- Person: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."full_name" AS "freshet_1",
    s."email" AS "freshet_4",
    s."last_name" AS "freshet_5",
    jsonb_build_object(
      'id', r0."id",
      'email', r0."email",
      'firstName', r0."first_name",
      'lastName', r0."last_name",
      'fullName', r0."fullName"
    ) AS "data",
    r0."fullName" AS "full_name",
    r0."email" AS "email",
    r0."last_name" AS "last_name"
  FROM (
    SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
    FROM "public"."tb_person"
    WHERE (deleted_at IS NULL)
  ) r0
  JOIN "public"."tv_person" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_person" s
SET
  "data" = d."freshet_data" || d."data",
  "full_name" = d."full_name",
  "email" = d."email",
  "last_name" = d."last_name",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'email') IS DISTINCT FROM (d."data" -> 'email')
    OR (d."freshet_data" -> 'firstName') IS DISTINCT FROM (d."data" -> 'firstName')
    OR (d."freshet_data" -> 'lastName') IS DISTINCT FROM (d."data" -> 'lastName')
    OR (d."freshet_data" -> 'fullName') IS DISTINCT FROM (d."data" -> 'fullName')
    OR d."freshet_1" IS DISTINCT FROM d."full_name" COLLATE "default"
    OR d."freshet_4" IS DISTINCT FROM d."email" COLLATE "default"
    OR d."freshet_5" IS DISTINCT FROM d."last_name" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_1" IS DISTINCT FROM d."full_name" COLLATE "default" THEN 2 ELSE 0 END
  + CASE WHEN d."freshet_4" IS DISTINCT FROM d."email" COLLATE "default" THEN 16 ELSE 0 END
  + CASE WHEN d."freshet_5" IS DISTINCT FROM d."last_name" COLLATE "default" THEN 32 ELSE 0 END
)::bigint AS moved;

-- Person: patch of profile
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."profile_id" AS "freshet_3",
    jsonb_build_object(
      'profile', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'bio', r1."bio"
        )
        FROM "public"."tb_profile" r1
        WHERE r1."person" = r0."pk_person"
      )
    ) AS "data",
    (
      SELECT r2."id"
      FROM "public"."tb_profile" r2
      WHERE r2."person" = r0."pk_person"
    ) AS "profile_id"
  FROM (
    SELECT *
    FROM "public"."tb_person"
    WHERE (deleted_at IS NULL)
  ) r0
  JOIN "public"."tv_person" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_person" s
SET
  "data" = d."freshet_data" || d."data",
  "profile_id" = d."profile_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'profile') IS DISTINCT FROM (d."data" -> 'profile')
    OR d."freshet_3" IS DISTINCT FROM d."profile_id")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_3" IS DISTINCT FROM d."profile_id" THEN 8 ELSE 0 END
)::bigint AS moved;

-- Profile: public.tv_profile from public.tb_profile by id (uuid)

-- Profile: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'bio', r0."bio",
    'person', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'fullName', r1."fullName"
      )
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r1
      WHERE r1."pk_person" = r0."person"
    )
  ) AS "data"
FROM "public"."tb_profile" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Profile: table
CREATE TABLE IF NOT EXISTS "public"."tv_profile" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Profile: patch of person
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'person', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'fullName', r1."fullName"
        )
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."pk_person" = r0."person"
      )
    ) AS "data"
  FROM "public"."tb_profile" r0
  JOIN "public"."tv_profile" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_profile" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'person') IS DISTINCT FROM (d."data" -> 'person'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Ticket: public.tv_ticket from public.tb_ticket by id (bigint)

-- Ticket: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'title', r0."title",
    'titleLength', r0."titleLength",
    'priority', r0."priority",
    'points', r0."points",
    'hours', CASE WHEN abs(r0."hours") < 'Infinity' THEN r0."hours" END,
    'cost', r0."cost"::text,
    'closed', r0."closed",
    'createdAt', (r0."created_at" AT TIME ZONE 'UTC'),
    'reporter', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'fullName', r1."fullName",
        'company', (
          SELECT jsonb_build_object(
            'id', r2."id",
            'name', r2."name"
          )
          FROM "public"."tb_company" r2
          WHERE r2."pk_company" = r1."fk_company"
        )
      )
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r1
      WHERE r1."pk_person" = r0."reporter"
    ),
    'assignee', (
      SELECT jsonb_build_object(
        'id', r3."id",
        'fullName', r3."fullName"
      )
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r3
      WHERE r3."pk_person" = r0."assignee"
    ),
    'tags', COALESCE((
      SELECT jsonb_agg(jsonb_build_object('code', j4."tag_code") ORDER BY j4."tag_code")
      FROM "public"."tb_ticket_tag" j4
      WHERE j4."ticket_id" = r0."id"
    ), '[]'),
    'labels', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'code', r5."code",
        'label', r5."label"
      ) ORDER BY r5."label", r5."code")
      FROM (
        SELECT r5.*
        FROM "public"."tb_ticket_tag" j5
        JOIN (
          SELECT *
          FROM "public"."tb_tag"
          WHERE (label <> '')
        ) r5 ON r5."code" = j5."tag_code"
        WHERE j5."ticket_id" = r0."id"
        ORDER BY r5."label", r5."code"
        LIMIT 2
      ) r5
    ), '[]'),
    'tagCount', (
      SELECT count(*)
      FROM "public"."tb_ticket_tag" j6
      WHERE j6."ticket_id" = r0."id"
    ),
    'labelCount', (
      SELECT count(*)
      FROM "public"."tb_ticket_tag" j7
      JOIN (
        SELECT *
        FROM "public"."tb_tag"
        WHERE (label <> '')
      ) r7 ON r7."code" = j7."tag_code"
      WHERE j7."ticket_id" = r0."id"
    )
  ) AS "data",
  (
    SELECT r8."id"
    FROM (
      SELECT *
      FROM "public"."tb_person"
      WHERE (deleted_at IS NULL)
    ) r8
    WHERE r8."pk_person" = r0."reporter"
  ) AS "reporter_id",
  (r0."created_at" AT TIME ZONE 'UTC') AS "created_at",
  (
    SELECT r9."fullName"
    FROM (
      SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
      FROM "public"."tb_person"
      WHERE (deleted_at IS NULL)
    ) r9
    WHERE r9."pk_person" = r0."assignee"
  ) AS "assignee_full_name",
  r0."priority" AS "priority",
  CASE WHEN abs(r0."hours") < 'Infinity' THEN r0."hours" END AS "hours"
FROM (
  SELECT *, (length(title)) AS "titleLength"
  FROM "public"."tb_ticket"
) r0
WHERE r0."id" = ANY($1::text[]::bigint[]);

-- Ticket: table
CREATE TABLE IF NOT EXISTS "public"."tv_ticket" (
  "id" bigint PRIMARY KEY,
  "data" jsonb NOT NULL,
  "reporter_id" uuid,
  "created_at" timestamp with time zone,
  "assignee_full_name" text,
  "priority" smallint,
  "hours" double precision,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_ticket_reporter_id_created_at_id_idx" ON "public"."tv_ticket" ("reporter_id", "created_at", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_ticket_assignee_full_name_id_idx" ON "public"."tv_ticket" ("assignee_full_name", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_ticket_priority_id_idx" ON "public"."tv_ticket" ("priority", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_ticket_hours_id_idx" ON "public"."tv_ticket" ("hours", "id");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_ticket_created_at_id_idx" ON "public"."tv_ticket" ("created_at", "id");

-- Ticket: patch of reporter
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."reporter_id" AS "freshet_0",
    jsonb_build_object(
      'reporter', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'fullName', r1."fullName",
          'company', (
            SELECT jsonb_build_object(
              'id', r2."id",
              'name', r2."name"
            )
            FROM "public"."tb_company" r2
            WHERE r2."pk_company" = r1."fk_company"
          )
        )
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."pk_person" = r0."reporter"
      )
    ) AS "data",
    (
      SELECT r3."id"
      FROM (
        SELECT *
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r3
      WHERE r3."pk_person" = r0."reporter"
    ) AS "reporter_id"
  FROM "public"."tb_ticket" r0
  JOIN "public"."tv_ticket" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_ticket" s
SET
  "data" = d."freshet_data" || d."data",
  "reporter_id" = d."reporter_id",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'reporter') IS DISTINCT FROM (d."data" -> 'reporter')
    OR d."freshet_0" IS DISTINCT FROM d."reporter_id")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."reporter_id" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Ticket: patch of assignee
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."assignee_full_name" AS "freshet_2",
    jsonb_build_object(
      'assignee', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'fullName', r1."fullName"
        )
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."pk_person" = r0."assignee"
      )
    ) AS "data",
    (
      SELECT r2."fullName"
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r2
      WHERE r2."pk_person" = r0."assignee"
    ) AS "assignee_full_name"
  FROM "public"."tb_ticket" r0
  JOIN "public"."tv_ticket" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_ticket" s
SET
  "data" = d."freshet_data" || d."data",
  "assignee_full_name" = d."assignee_full_name",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'assignee') IS DISTINCT FROM (d."data" -> 'assignee')
    OR d."freshet_2" IS DISTINCT FROM d."assignee_full_name" COLLATE "default")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_2" IS DISTINCT FROM d."assignee_full_name" COLLATE "default" THEN 4 ELSE 0 END
)::bigint AS moved;

-- Ticket: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."created_at" AS "freshet_1",
    s."priority" AS "freshet_3",
    s."hours" AS "freshet_4",
    jsonb_build_object(
      'id', r0."id"::text,
      'title', r0."title",
      'titleLength', r0."titleLength",
      'priority', r0."priority",
      'points', r0."points",
      'hours', CASE WHEN abs(r0."hours") < 'Infinity' THEN r0."hours" END,
      'cost', r0."cost"::text,
      'closed', r0."closed",
      'createdAt', (r0."created_at" AT TIME ZONE 'UTC')
    ) AS "data",
    (r0."created_at" AT TIME ZONE 'UTC') AS "created_at",
    r0."priority" AS "priority",
    CASE WHEN abs(r0."hours") < 'Infinity' THEN r0."hours" END AS "hours"
  FROM (
    SELECT *, (length(title)) AS "titleLength"
    FROM "public"."tb_ticket"
  ) r0
  JOIN "public"."tv_ticket" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::bigint[])
)
UPDATE "public"."tv_ticket" s
SET
  "data" = d."freshet_data" || d."data",
  "created_at" = d."created_at",
  "priority" = d."priority",
  "hours" = d."hours",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'title') IS DISTINCT FROM (d."data" -> 'title')
    OR (d."freshet_data" -> 'titleLength') IS DISTINCT FROM (d."data" -> 'titleLength')
    OR (d."freshet_data" -> 'priority') IS DISTINCT FROM (d."data" -> 'priority')
    OR (d."freshet_data" -> 'points') IS DISTINCT FROM (d."data" -> 'points')
    OR (d."freshet_data" -> 'hours') IS DISTINCT FROM (d."data" -> 'hours')
    OR (d."freshet_data" -> 'cost') IS DISTINCT FROM (d."data" -> 'cost')
    OR (d."freshet_data" -> 'closed') IS DISTINCT FROM (d."data" -> 'closed')
    OR (d."freshet_data" -> 'createdAt') IS DISTINCT FROM (d."data" -> 'createdAt')
    OR d."freshet_1" IS DISTINCT FROM d."created_at"
    OR d."freshet_3" IS DISTINCT FROM d."priority"
    OR d."freshet_4" IS DISTINCT FROM d."hours")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_1" IS DISTINCT FROM d."created_at" THEN 2 ELSE 0 END
  + CASE WHEN d."freshet_3" IS DISTINCT FROM d."priority" THEN 8 ELSE 0 END
  + CASE WHEN d."freshet_4" IS DISTINCT FROM d."hours" THEN 16 ELSE 0 END
)::bigint AS moved;

-- Tag: public.tv_tag from public.tb_tag by code (character varying(20))

-- Tag: documents
SELECT
  r0."code"::text AS key,
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
WHERE r0."code" = ANY($1::text[]);

-- Tag: table
CREATE TABLE IF NOT EXISTS "public"."tv_tag" (
  "code" character varying(20) PRIMARY KEY,
  "data" jsonb NOT NULL,
  "label" text,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_tag_label_code_idx" ON "public"."tv_tag" ("label", "code");

-- Tag: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."label" AS "freshet_0",
    jsonb_build_object(
      'code', r0."code",
      'label', r0."label"
    ) AS "data",
    r0."label" AS "label"
  FROM "public"."tb_tag" r0
  JOIN "public"."tv_tag" s ON s."code" = r0."code" COLLATE "default"
  WHERE r0."code" = ANY($1::text[])
)
UPDATE "public"."tv_tag" s
SET
  "data" = d."freshet_data" || d."data",
  "label" = d."label",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'code') IS DISTINCT FROM (d."data" -> 'code')
    OR (d."freshet_data" -> 'label') IS DISTINCT FROM (d."data" -> 'label')
    OR d."freshet_0" IS DISTINCT FROM d."label" COLLATE "default")
RETURNING 'u'::"char" AS op, s."code"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."label" COLLATE "default" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Order: public.tv_order from public.tb_order by id (uuid)

-- Order: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id",
    'region', r0."region",
    'number', r0."number",
    'customer', (
      SELECT jsonb_build_object(
        'id', r1."id",
        'fullName', r1."fullName"
      )
      FROM (
        SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
        FROM "public"."tb_person"
        WHERE (deleted_at IS NULL)
      ) r1
      WHERE r1."pk_person" = r0."customer"
    ),
    'lines', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'line', r2."line",
        'quantity', r2."quantity",
        'product', (
          SELECT jsonb_build_object(
            'id', r3."id"::text,
            'name', r3."name",
            'price', r3."price"::text
          )
          FROM "public"."tb_product" r3
          WHERE r3."id" = r2."product_id"
        )
      ) ORDER BY r2."order_region", r2."order_number", r2."line")
      FROM "public"."tb_order_line" r2
      WHERE r2."order_region" = r0."region"
        AND r2."order_number" = r0."number"
    ), '[]'),
    'quantity', (
      SELECT sum(r4."quantity")::text
      FROM "public"."tb_order_line" r4
      WHERE r4."order_region" = r0."region"
        AND r4."order_number" = r0."number"
    )
  ) AS "data",
  r0."region" AS "region",
  r0."number" AS "number"
FROM "public"."tb_order" r0
WHERE r0."id" = ANY($1::text[]::uuid[]);

-- Order: table
CREATE TABLE IF NOT EXISTS "public"."tv_order" (
  "id" uuid PRIMARY KEY,
  "data" jsonb NOT NULL,
  "region" text,
  "number" integer,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_order_region_number_id_idx" ON "public"."tv_order" ("region", "number", "id");

-- Order: patch of customer
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    jsonb_build_object(
      'customer', (
        SELECT jsonb_build_object(
          'id', r1."id",
          'fullName', r1."fullName"
        )
        FROM (
          SELECT *, (first_name || coalesce(' ' || last_name, '')) AS "fullName"
          FROM "public"."tb_person"
          WHERE (deleted_at IS NULL)
        ) r1
        WHERE r1."pk_person" = r0."customer"
      )
    ) AS "data"
  FROM "public"."tb_order" r0
  JOIN "public"."tv_order" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::uuid[])
)
UPDATE "public"."tv_order" s
SET
  "data" = d."freshet_data" || d."data",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'customer') IS DISTINCT FROM (d."data" -> 'customer'))
RETURNING 'u'::"char" AS op, s."id"::text AS key, 0::bigint AS moved;

-- Product: public.tv_product from public.tb_product by id (integer)

-- Product: documents
SELECT
  r0."id"::text AS key,
  jsonb_build_object(
    'id', r0."id"::text,
    'name', r0."name",
    'price', r0."price"::text,
    'lines', COALESCE((
      SELECT jsonb_agg(jsonb_build_object(
        'quantity', r1."quantity",
        'order', (
          SELECT jsonb_build_object(
            'id', r2."id",
            'region', r2."region",
            'customer', (
              SELECT jsonb_build_object(
                'id', r3."id",
                'email', r3."email"
              )
              FROM (
                SELECT *
                FROM "public"."tb_person"
                WHERE (deleted_at IS NULL)
              ) r3
              WHERE r3."pk_person" = r2."customer"
            )
          )
          FROM "public"."tb_order" r2
          WHERE r2."region" = r1."order_region"
            AND r2."number" = r1."order_number"
        )
      ) ORDER BY r1."order_region", r1."order_number", r1."line")
      FROM "public"."tb_order_line" r1
      WHERE r1."product_id" = r0."id"
    ), '[]')
  ) AS "data",
  r0."price" AS "price"
FROM "public"."tb_product" r0
WHERE r0."id" = ANY($1::text[]::integer[]);

-- Product: table
CREATE TABLE IF NOT EXISTS "public"."tv_product" (
  "id" integer PRIMARY KEY,
  "data" jsonb NOT NULL,
  "price" numeric,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_product_price_id_idx" ON "public"."tv_product" ("price", "id");

-- Product: patch of its own row
WITH docs AS MATERIALIZED (
  SELECT
    s.ctid AS "freshet_row",
    s."data" || '{}' AS "freshet_data",
    s."price" AS "freshet_0",
    jsonb_build_object(
      'id', r0."id"::text,
      'name', r0."name",
      'price', r0."price"::text
    ) AS "data",
    r0."price" AS "price"
  FROM "public"."tb_product" r0
  JOIN "public"."tv_product" s ON s."id" = r0."id"
  WHERE r0."id" = ANY($1::text[]::integer[])
)
UPDATE "public"."tv_product" s
SET
  "data" = d."freshet_data" || d."data",
  "price" = d."price",
  "freshet_lsn" = $2::pg_lsn,
  "freshet_time" = $3::timestamptz
FROM docs d
WHERE s.ctid = d."freshet_row"
  AND ((d."freshet_data" -> 'id') IS DISTINCT FROM (d."data" -> 'id')
    OR (d."freshet_data" -> 'name') IS DISTINCT FROM (d."data" -> 'name')
    OR (d."freshet_data" -> 'price') IS DISTINCT FROM (d."data" -> 'price')
    OR d."freshet_0" IS DISTINCT FROM d."price")
RETURNING 'u'::"char" AS op, s."id"::text AS key, (
  CASE WHEN d."freshet_0" IS DISTINCT FROM d."price" THEN 1 ELSE 0 END
)::bigint AS moved;

-- Sample: app.tv_sample from app.tb_sample by code (text)

-- Sample: documents
SELECT
  r0."code"::text AS key,
  jsonb_build_object(
    'code', r0."code",
    'cText', r0."c_text",
    'cVarchar', r0."c_varchar",
    'cChar', r0."c_char",
    'cUuid', r0."c_uuid",
    'cInt2', r0."c_int2",
    'cInt4', r0."c_int4",
    'cInt8', r0."c_int8"::text,
    'cFloat4', CASE WHEN abs(r0."c_float4") < 'Infinity' THEN r0."c_float4" END,
    'cFloat8', CASE WHEN abs(r0."c_float8") < 'Infinity' THEN r0."c_float8" END,
    'cNumeric', r0."c_numeric"::text,
    'cBool', r0."c_bool",
    'cTimestamptz', r0."c_timestamptz",
    'cTimestamp', r0."c_timestamp",
    'instant', (r0."c_timestamp" AT TIME ZONE 'UTC'),
    'cDate', r0."c_date",
    'cTime', r0."c_time",
    'cTimetz', r0."c_timetz",
    'cInterval', r0."c_interval",
    'cJson', r0."c_json",
    'cJsonb', r0."c_jsonb",
    'cBytea', translate(encode(r0."c_bytea", 'base64'), E'\n', ''),
    'cMood', r0."c_mood"::text,
    'moodOfText', r0."c_mood_text",
    'moodAsString', r0."c_mood"::text,
    'cPrice', r0."c_price"::text,
    'cInet', r0."c_inet",
    'cRange', r0."c_range",
    'cGenerated', r0."c_generated",
    'intAsId', r0."c_int8"::text,
    'uuidAsId', r0."c_uuid",
    'aText', CASE WHEN r0."a_text" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."a_text") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aInt4', CASE WHEN r0."a_int4" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."a_int4") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aInt8', CASE WHEN r0."a_int8" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v::text ORDER BY e.n)
      FROM unnest(r0."a_int8") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aFloat8', CASE WHEN r0."a_float8" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(CASE WHEN abs(e.v) < 'Infinity' THEN e.v END ORDER BY e.n)
      FROM unnest(r0."a_float8") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aNumeric', CASE WHEN r0."a_numeric" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v::text ORDER BY e.n)
      FROM unnest(r0."a_numeric") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aMood', CASE WHEN r0."a_mood" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v::text ORDER BY e.n)
      FROM unnest(r0."a_mood") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aUuid', CASE WHEN r0."a_uuid" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."a_uuid") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aBytea', CASE WHEN r0."a_bytea" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(translate(encode(e.v, 'base64'), E'\n', '') ORDER BY e.n)
      FROM unnest(r0."a_bytea") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aTimestamptz', CASE WHEN r0."a_timestamptz" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."a_timestamptz") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'aJsonb', CASE WHEN r0."a_jsonb" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."a_jsonb") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'select', r0."select",
    'weird', r0."Weird ""name",
    'data', r0."c_text",
    'quoted', r0."quoted",
    'upper', CASE WHEN r0."upper" IS NOT NULL THEN COALESCE((
      SELECT jsonb_agg(e.v ORDER BY e.n)
      FROM unnest(r0."upper") WITH ORDINALITY AS e(v, n)
    ), '[]') END,
    'f1', r0."c_int4",
    'f2', r0."c_int4",
    'f3', r0."c_int4",
    'f4', r0."c_int4"
  ) || jsonb_build_object(
    'f5', r0."c_int4",
    'f6', r0."c_int4"
  ) AS "data",
  r0."c_mood" AS "c_mood",
  CASE WHEN abs(r0."c_float8") < 'Infinity' THEN r0."c_float8" END AS "c_float8",
  r0."select" AS "select",
  r0."c_varchar" AS "c_varchar",
  r0."c_timestamp" AS "c_timestamp",
  r0."c_numeric" AS "c_numeric",
  (r0."c_timestamp" AT TIME ZONE 'UTC') AS "instant",
  r0."c_text" AS "data_"
FROM (
  SELECT *, (c_text || 'it''s 
 a "line"') AS "quoted", (string_to_array(upper(c_text), ',')) AS "upper"
  FROM "app"."tb_sample"
) r0
WHERE r0."code" = ANY($1::text[]);

-- Sample: table
CREATE TABLE IF NOT EXISTS "app"."tv_sample" (
  "code" text PRIMARY KEY,
  "data" jsonb NOT NULL,
  "c_mood" app.mood,
  "c_float8" double precision,
  "select" text,
  "c_varchar" text,
  "c_timestamp" timestamp without time zone,
  "c_numeric" numeric,
  "instant" timestamp with time zone,
  "data_" text,
  "freshet_lsn" pg_lsn NOT NULL,
  "freshet_time" timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_c_mood_code_idx" ON "app"."tv_sample" ("c_mood", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_c_float8_code_idx" ON "app"."tv_sample" ("c_float8", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_select_code_idx" ON "app"."tv_sample" ("select", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_c_varchar_code_idx" ON "app"."tv_sample" ("c_varchar", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_c_timestamp_c_numeric_code_idx" ON "app"."tv_sample" ("c_timestamp", "c_numeric", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_instant_code_idx" ON "app"."tv_sample" ("instant", "code");
CREATE INDEX CONCURRENTLY IF NOT EXISTS "tv_sample_data__code_idx" ON "app"."tv_sample" ("data_", "code");

-- source app.tb_sample
--   reads     Weird "name, a_bytea, a_float8, a_int4, a_int8, a_jsonb, a_mood, a_numeric, a_text, a_timestamptz, a_uuid, c_bool, c_bytea, c_char, c_date, c_float4, c_float8, c_generated, c_inet, c_int2, c_int4, c_int8, c_interval, c_json, c_jsonb, c_mood, c_mood_text, c_numeric, c_price, c_range, c_text, c_time, c_timestamp, c_timestamptz, c_timetz, c_uuid, c_varchar, code, select
--   old value code

-- app.tb_sample(code) -> Sample
--   matters: Weird "name, a_bytea, a_float8, a_int4, a_int8, a_jsonb, a_mood, a_numeric, a_text, a_timestamptz, a_uuid, c_bool, c_bytea, c_char, c_date, c_float4, c_float8, c_generated, c_inet, c_int2, c_int4, c_int8, c_interval, c_json, c_jsonb, c_mood, c_mood_text, c_numeric, c_price, c_range, c_text, c_time, c_timestamp, c_timestamptz, c_timetz, c_uuid, c_varchar, code, select
--   the value is the key

-- source public.tb_company
--   reads     id, mood, name, pk_company
--   old value id

-- public.tb_company(id) -> Company
--   matters: id, mood, name, pk_company
--   a patch while unmoved: id, pk_company
--   the value is the key

-- public.tb_company(pk_company) -> Person.company
--   matters: id, name, pk_company
--   alters company alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."fk_company" = ANY($1::text[]::integer[]);

-- public.tb_company(pk_company) -> Person.manager.company
--   matters: id, name, pk_company
--   alters manager alone
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_person" t1
JOIN "public"."tb_person" t2 ON t2."fk_manager" = t1."pk_person"
WHERE t1."fk_company" = ANY($1::text[]::integer[]);

-- public.tb_company(pk_company) -> Ticket.reporter.company
--   matters: id, name, pk_company
--   alters reporter alone
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_person" t1
JOIN "public"."tb_ticket" t2 ON t2."reporter" = t1."pk_person"
WHERE t1."fk_company" = ANY($1::text[]::integer[]);

-- source public.tb_mentor
--   reads     mentor, pupil
--   old value mentor, pupil

-- public.tb_mentor(mentor) -> Person.pupils (tb_mentor)
--   matters: mentor, pupil
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- source public.tb_order
--   reads     customer, id, number, region
--   old value customer, id

-- public.tb_order(customer) -> Person.orders
--   matters: customer, id, number, region
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- public.tb_order(id) -> Order
--   matters: customer, id, number, region
--   the value is the key

-- public.tb_order(region, number) -> Product.lines.order
--   matters: customer, id, number, region
SELECT DISTINCT t1."product_id"::text AS key
FROM unnest($1::text[], $2::text[]::integer[]) AS v(c1, c2)
JOIN "public"."tb_order_line" t1 ON t1."order_region" = v.c1 AND t1."order_number" = v.c2
WHERE t1."product_id" IS NOT NULL;

-- source public.tb_order_line
--   reads     line, order_number, order_region, product_id, quantity
--   old value line, order_number, order_region, product_id

-- public.tb_order_line(order_region, order_number) -> Person.orders.lines
--   matters: line, order_number, order_region, product_id, quantity
SELECT DISTINCT t2."id"::text AS key
FROM unnest($1::text[], $2::text[]::integer[]) AS v(c1, c2)
JOIN "public"."tb_order" t1 ON t1."region" = v.c1 AND t1."number" = v.c2
JOIN "public"."tb_person" t2 ON t2."pk_person" = t1."customer";

-- public.tb_order_line(order_region, order_number) -> Order.lines
--   leads to: Order.lines, Order.quantity
--   matters: line, order_number, order_region, product_id, quantity
SELECT DISTINCT t1."id"::text AS key
FROM unnest($1::text[], $2::text[]::integer[]) AS v(c1, c2)
JOIN "public"."tb_order" t1 ON t1."region" = v.c1 AND t1."number" = v.c2;

-- public.tb_order_line(product_id) -> Product.lines
--   matters: line, order_number, order_region, product_id, quantity
--   the value is the key

-- source public.tb_person
--   reads     deleted_at, email, first_name, fk_company, fk_manager, id, last_name, pk_person
--   old value fk_company, fk_manager, id

-- public.tb_person(fk_company) -> Company.people
--   leads to: Company.people, Company.headcount, Company.everybody
--   matters: deleted_at, first_name, fk_company, id, last_name
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_company" t1
WHERE t1."pk_company" = ANY($1::text[]::integer[]);

-- public.tb_person(id) -> Person
--   matters: deleted_at, email, first_name, fk_company, fk_manager, id, last_name, pk_person
--   a patch while unmoved: deleted_at, fk_company, fk_manager, id, pk_person
--   the value is the key

-- public.tb_person(pk_person) -> Person.manager
--   matters: deleted_at, first_name, fk_company, id, last_name, pk_person
--   alters manager alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."fk_manager" = ANY($1::text[]::bigint[]);

-- public.tb_person(fk_manager) -> Person.reports
--   matters: deleted_at, fk_manager, id
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Person.reported.assignee
--   matters: deleted_at, email, id, pk_person
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_ticket" t1
JOIN "public"."tb_person" t2 ON t2."pk_person" = t1."reporter"
WHERE t1."assignee" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Person.pupils
--   matters: deleted_at, first_name, id, last_name, pk_person
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_mentor" t1
JOIN "public"."tb_person" t2 ON t2."pk_person" = t1."mentor"
WHERE t1."pupil" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Profile.person
--   matters: deleted_at, first_name, id, last_name, pk_person
--   alters person alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_profile" t1
WHERE t1."person" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Ticket.reporter
--   matters: deleted_at, first_name, fk_company, id, last_name, pk_person
--   alters reporter alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_ticket" t1
WHERE t1."reporter" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Ticket.assignee
--   matters: deleted_at, first_name, id, last_name, pk_person
--   alters assignee alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_ticket" t1
WHERE t1."assignee" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Tag.tickets.reporter
--   matters: deleted_at, email, id, pk_person
SELECT DISTINCT t2."tag_code"::text AS key
FROM "public"."tb_ticket" t1
JOIN "public"."tb_ticket_tag" t2 ON t2."ticket_id" = t1."id"
WHERE t1."reporter" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Order.customer
--   matters: deleted_at, first_name, id, last_name, pk_person
--   alters customer alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_order" t1
WHERE t1."customer" = ANY($1::text[]::bigint[]);

-- public.tb_person(pk_person) -> Product.lines.order.customer
--   matters: deleted_at, email, id, pk_person
SELECT DISTINCT t2."product_id"::text AS key
FROM "public"."tb_order" t1
JOIN "public"."tb_order_line" t2 ON t2."order_region" = t1."region" AND t2."order_number" = t1."number"
WHERE t1."customer" = ANY($1::text[]::bigint[])
  AND t2."product_id" IS NOT NULL;

-- source public.tb_product
--   reads     id, name, price
--   old value id

-- public.tb_product(id) -> Person.orders.lines.product
--   matters: id, name
SELECT DISTINCT t3."id"::text AS key
FROM "public"."tb_order_line" t1
JOIN "public"."tb_order" t2 ON t2."region" = t1."order_region" AND t2."number" = t1."order_number"
JOIN "public"."tb_person" t3 ON t3."pk_person" = t2."customer"
WHERE t1."product_id" = ANY($1::text[]::integer[]);

-- public.tb_product(id) -> Order.lines.product
--   matters: id, name, price
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_order_line" t1
JOIN "public"."tb_order" t2 ON t2."region" = t1."order_region" AND t2."number" = t1."order_number"
WHERE t1."product_id" = ANY($1::text[]::integer[]);

-- public.tb_product(id) -> Product
--   matters: id, name, price
--   a patch while unmoved: id
--   the value is the key

-- source public.tb_profile
--   reads     bio, id, person
--   old value id, person

-- public.tb_profile(person) -> Person.profile
--   matters: bio, id, person
--   alters profile alone
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- public.tb_profile(id) -> Profile
--   matters: bio, id, person
--   the value is the key

-- source public.tb_tag
--   reads     code, label
--   old value code

-- public.tb_tag(code) -> Person.reported.tags
--   matters: code, label
SELECT DISTINCT t3."id"::text AS key
FROM "public"."tb_ticket_tag" t1
JOIN "public"."tb_ticket" t2 ON t2."id" = t1."ticket_id"
JOIN "public"."tb_person" t3 ON t3."pk_person" = t2."reporter"
WHERE t1."tag_code" = ANY($1::text[]);

-- public.tb_tag(code) -> Ticket.labels
--   leads to: Ticket.labels, Ticket.labelCount
--   matters: code, label
SELECT DISTINCT t1."ticket_id"::text AS key
FROM "public"."tb_ticket_tag" t1
WHERE t1."tag_code" = ANY($1::text[]);

-- public.tb_tag(code) -> Tag
--   matters: code, label
--   a patch while unmoved: code
--   the value is the key

-- source public.tb_ticket
--   reads     assignee, closed, cost, created_at, hours, id, points, priority, reporter, title
--   old value assignee, id, reporter

-- public.tb_ticket(reporter) -> Person.reported
--   leads to: Person.reported, Person.openCount
--   matters: assignee, closed, created_at, id, priority, reporter, title
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- public.tb_ticket(assignee) -> Person.assigned
--   leads to: Person.assigned, Person.assignedPoints, Person.assignedHours, Person.assignedMean, Person.assignedCost, Person.cheapest, Person.latest, Person.longest
--   matters: assignee, cost, created_at, hours, id, points, title
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- public.tb_ticket(id) -> Ticket
--   matters: assignee, closed, cost, created_at, hours, id, points, priority, reporter, title
--   a patch while unmoved: assignee, id, reporter
--   the value is the key

-- public.tb_ticket(id) -> Tag.tickets
--   matters: id, reporter, title
SELECT DISTINCT t1."tag_code"::text AS key
FROM "public"."tb_ticket_tag" t1
WHERE t1."ticket_id" = ANY($1::text[]::bigint[]);

-- source public.tb_ticket_tag
--   reads     tag_code, ticket_id
--   old value tag_code, ticket_id

-- public.tb_ticket_tag(ticket_id) -> Person.reported.tags (tb_ticket_tag)
--   matters: tag_code, ticket_id
SELECT DISTINCT t2."id"::text AS key
FROM "public"."tb_ticket" t1
JOIN "public"."tb_person" t2 ON t2."pk_person" = t1."reporter"
WHERE t1."id" = ANY($1::text[]::bigint[]);

-- public.tb_ticket_tag(ticket_id) -> Ticket.tags (tb_ticket_tag)
--   leads to: Ticket.tags (tb_ticket_tag), Ticket.labels (tb_ticket_tag), Ticket.tagCount (tb_ticket_tag), Ticket.labelCount (tb_ticket_tag)
--   matters: tag_code, ticket_id
--   the value is the key

-- public.tb_ticket_tag(tag_code) -> Tag.tickets (tb_ticket_tag)
--   matters: tag_code, ticket_id
--   the value is the key

-- source public.tb_watch
--   reads     person, ticket
--   old value person

-- public.tb_watch(person) -> Person.watched (tb_watch)
--   leads to: Person.watched (tb_watch), Person.watchCount (tb_watch)
--   matters: person, ticket
SELECT DISTINCT t1."id"::text AS key
FROM "public"."tb_person" t1
WHERE t1."pk_person" = ANY($1::text[]::bigint[]);

-- replica identity of public.tb_company
ALTER TABLE "public"."tb_company" REPLICA IDENTITY USING INDEX "tb_company_id_key";

-- replica identity of public.tb_order
ALTER TABLE "public"."tb_order" REPLICA IDENTITY FULL;

-- replica identity of public.tb_order_line
ALTER TABLE "public"."tb_order_line" REPLICA IDENTITY FULL;

-- replica identity of public.tb_person
ALTER TABLE "public"."tb_person" REPLICA IDENTITY FULL;

-- replica identity of public.tb_profile
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "tb_profile_id_person_freshet_identity" ON "public"."tb_profile" ("id", "person");
ALTER TABLE "public"."tb_profile" REPLICA IDENTITY USING INDEX "tb_profile_id_person_freshet_identity";

-- replica identity of public.tb_ticket
ALTER TABLE "public"."tb_ticket" REPLICA IDENTITY FULL;

-- replica identity of public.tb_watch
ALTER TABLE "public"."tb_watch" REPLICA IDENTITY FULL;

