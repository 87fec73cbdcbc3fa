-- plain
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "id"::text FROM "app"."tv_""post""" ORDER BY "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $1::text), NULL, NULL, NULL
-- [freshet]

-- documents, count
(SELECT "id"::text, data::text, NULL::text, NULL::text, NULL::text, "id"::text FROM "app"."tv_""post""" ORDER BY "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $1::text), (SELECT count(*)::text FROM "app"."tv_""post"""), NULL, NULL
-- [freshet]

-- forward
(SELECT "id"::text, data::text, NULL::text, NULL::text, NULL::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" WHERE (("created_at", "id") < ($1::text::timestamptz, $2::text::uuid)) ORDER BY "app"."tv_""post"""."created_at" DESC, "app"."tv_""post"""."id" DESC LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $3::text), NULL, (SELECT EXISTS (SELECT 1 FROM "app"."tv_""post""" WHERE (("created_at", "id") >= ($4::text::timestamptz, $5::text::uuid)))::text), NULL, NULL
-- [2024 k freshet 2024 k]

-- backward
(SELECT "id"::text, data::text, NULL::text, NULL::text, NULL::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" WHERE (("created_at", "id") > ($1::text::timestamptz, $2::text::uuid)) ORDER BY "app"."tv_""post"""."created_at", "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $3::text), NULL, (SELECT EXISTS (SELECT 1 FROM "app"."tv_""post""" WHERE (("created_at", "id") <= ($4::text::timestamptz, $5::text::uuid)))::text), NULL, NULL
-- [2024 k freshet 2024 k]

-- nullable, at a value
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "rank"::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" WHERE ((("rank" > $1::text::int4 OR "rank" IS NULL) OR "rank" = $2::text::int4 AND ("created_at" < $3::text::timestamptz OR "created_at" = $4::text::timestamptz AND ("id" < $5::text::uuid OR "id" = $6::text::uuid AND FALSE)))) ORDER BY "app"."tv_""post"""."rank", "app"."tv_""post"""."created_at" DESC, "app"."tv_""post"""."id" DESC LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $7::text), NULL, NULL, NULL, NULL, NULL
-- [1 1 2024 2024 k k freshet]

-- nullable, at null
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "rank"::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" WHERE ((FALSE OR "rank" IS NULL AND ("created_at" < $1::text::timestamptz OR "created_at" = $2::text::timestamptz AND ("id" < $3::text::uuid OR "id" = $4::text::uuid AND FALSE)))) ORDER BY "app"."tv_""post"""."rank", "app"."tv_""post"""."created_at" DESC, "app"."tv_""post"""."id" DESC LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $5::text), NULL, NULL, NULL, NULL, NULL
-- [2024 2024 k k freshet]

-- nulls first, at null
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "rank"::text, "id"::text FROM "app"."tv_""post""" WHERE (("rank" IS NOT NULL OR "rank" IS NULL AND ("id" > $1::text::uuid OR "id" = $2::text::uuid AND FALSE))) ORDER BY "app"."tv_""post"""."rank" NULLS FIRST, "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $3::text), NULL, NULL, NULL, NULL
-- [k k freshet]

-- where
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "id"::text FROM "app"."tv_""post""" WHERE (("author_id" = $1::text::uuid) AND ("title" = ANY($2::text[])) AND ("rank" <> ALL($3::text[]::int4[]) OR "rank" IS NULL) AND ("rank" IS DISTINCT FROM $4::text::int4) AND ("mood" = $5::text::app.mood) AND ("title" LIKE $6::text) AND ("title" ILIKE $7::text) AND ("rank" IS NULL) AND ((("rank" < $8::text::int4) OR (FALSE) OR (TRUE)) IS NOT TRUE)) ORDER BY "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $9::text), (SELECT count(*)::text FROM "app"."tv_""post""" WHERE (("author_id" = $10::text::uuid) AND ("title" = ANY($11::text[])) AND ("rank" <> ALL($12::text[]::int4[]) OR "rank" IS NULL) AND ("rank" IS DISTINCT FROM $13::text::int4) AND ("mood" = $14::text::app.mood) AND ("title" LIKE $15::text) AND ("title" ILIKE $16::text) AND ("rank" IS NULL) AND ((("rank" < $17::text::int4) OR (FALSE) OR (TRUE)) IS NOT TRUE))), NULL, NULL
-- [u [a b] [1] 2 SAD 5\%\_\\% a% 3 freshet u [a b] [1] 2 SAD 5\%\_\\% a% 3]

-- plain list
(SELECT "id"::text, data::text, NULL::text, NULL::text, NULL::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" ORDER BY "app"."tv_""post"""."created_at" DESC, "app"."tv_""post"""."id" DESC LIMIT 10 OFFSET 40)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $1::text), NULL, NULL, NULL, NULL
-- [freshet]

-- in part
(SELECT "id"::text, (data - ARRAY['comments', 'it''s']::text[])::text, NULL::text, NULL::text, NULL::text, "created_at"::text, "id"::text FROM "app"."tv_""post""" ORDER BY "app"."tv_""post"""."created_at" DESC, "app"."tv_""post"""."id" DESC LIMIT 10)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $1::text), NULL, NULL, NULL, NULL
-- [freshet]

-- aggregates
(SELECT "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, "id"::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text FROM "app"."tv_""post""" WHERE ("author_id" = $1::text::uuid) ORDER BY "app"."tv_""post"""."id" LIMIT 11)
UNION ALL SELECT NULL, NULL, (SELECT watermark::text || ' ' || batch FROM freshet.checkpoint WHERE slot = $2::text), s.n, NULL, NULL, s.a0, s.a1, s.a2, s.a3, s.a4, s.a5 FROM (SELECT count(*)::text AS n, to_jsonb(min("created_at"))::text AS a0, to_jsonb(max("rank"))::text AS a1, to_jsonb(sum("rank")::text)::text AS a2, to_jsonb(nullif(nullif(nullif(avg("rank")::float8, 'NaN'), 'Infinity'), '-Infinity'))::text AS a3, to_jsonb((min("at") AT TIME ZONE 'UTC'))::text AS a4, to_jsonb(nullif(nullif(nullif(sum("w")::float4, 'NaN'), 'Infinity'), '-Infinity'))::text AS a5 FROM "app"."tv_""post""" WHERE ("author_id" = $3::text::uuid)) s
-- [u freshet u]

