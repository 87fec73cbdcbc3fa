-- Least-privilege roles for Freshet, for whatever model the database has: run it
-- as a superuser, or as the owner of the source tables who may create roles,
-- after `freshet migrate --apply`, and again after each one that changed the
-- model. It may be run any number of times.
--
--   freshet_projector   follows the WAL, reads the source tables, owns tv_* and
--                       schema freshet. For `freshet projector` and `freshet run`.
--   freshet_api         reads tv_* and schema freshet, nothing else. For `freshet api`.
--
-- `freshet migrate --apply` itself is for the owner of the source tables: it
-- sets replica identities and makes the publication.
--
-- Give the roles passwords with \password. Row-level security on a source table:
-- the projector must see every row, so ALTER ROLE freshet_projector BYPASSRLS as
-- well. On Amazon RDS use GRANT rds_replication TO freshet_projector instead of
-- REPLICATION.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'freshet_projector') THEN
        CREATE ROLE freshet_projector LOGIN REPLICATION;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'freshet_api') THEN
        CREATE ROLE freshet_api LOGIN;
    END IF;
    -- Temporary tables: the model's SQL expressions are checked on empty copies.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO freshet_projector', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO freshet_api', current_database());
END $$;
-- To name who holds a lock or a slot.
GRANT pg_read_all_stats TO freshet_projector;

-- The projector reads the sources …
DO $$
DECLARE s record;
BEGIN
    FOR s IN SELECT DISTINCT x->>'schema' AS schema, x->>'table' AS name
               FROM freshet.models, jsonb_array_elements(sources) AS x ORDER BY 1, 2 LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO freshet_projector', s.schema);
        EXECUTE format('GRANT SELECT ON %I.%I TO freshet_projector', s.schema, s.name);
    END LOOP;
END $$;

-- … and owns the tv_* tables: it makes their indexes when it has filled them.
-- The API reads them, those that are made again later included.
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT layout->>'schema' AS schema, layout->>'table' AS name FROM freshet.models ORDER BY 1, 2 LOOP
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO freshet_projector', t.schema);
        EXECUTE format('ALTER TABLE %I.%I OWNER TO freshet_projector', t.schema, t.name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO freshet_api', t.schema);
        EXECUTE format('GRANT SELECT ON %I.%I TO freshet_api', t.schema, t.name);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE freshet_projector IN SCHEMA %I GRANT SELECT ON TABLES TO freshet_api', t.schema);
    END LOOP;
END $$;

-- Freshet's own tables, and the view, which reads them as its owner.
ALTER SCHEMA freshet OWNER TO freshet_projector;
DO $$
DECLARE t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'freshet'::regnamespace AND c.relkind IN ('r', 'p', 'v') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO freshet_projector', t);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA freshet TO freshet_api;
GRANT SELECT ON ALL TABLES IN SCHEMA freshet TO freshet_api;
ALTER DEFAULT PRIVILEGES FOR ROLE freshet_projector IN SCHEMA freshet GRANT SELECT ON TABLES TO freshet_api;
