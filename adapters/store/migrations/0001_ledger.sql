-- The ledger: one log of events, and what must be stored in the same transaction as they are.
-- Projections make their tables in schema "view" themselves; nothing here depends on them.

CREATE SCHEMA view;  -- ledger itself was made by the runner, for its own table

-- ---------------------------------------------------------------------------------------------- tables

CREATE TABLE ledger.event (
    position            bigint       NOT NULL PRIMARY KEY,
    originator_version  bigint       NOT NULL,
    recorded_at         timestamptz  NOT NULL,
    originator_id       uuid         NOT NULL,
    topic               text         NOT NULL,
    state               bytea        NOT NULL,
    UNIQUE (originator_id, originator_version)
);
COMMENT ON TABLE ledger.event IS 'What happened. Positions start at 1, have no holes and stand in commit order.';

CREATE TABLE ledger.content (
    id          uuid   NOT NULL PRIMARY KEY,
    salt        bytea  NOT NULL,
    media_type  text   NOT NULL,
    body        bytea  NOT NULL
);
COMMENT ON TABLE ledger.content IS 'Texts and personal data that events refer to. Erasing is deleting the row.';

CREATE TABLE ledger.claim (
    kind           text    NOT NULL,
    key            text    NOT NULL,
    originator_id  uuid    NOT NULL,
    position       bigint  NOT NULL,
    PRIMARY KEY (kind, key)
);
COMMENT ON TABLE ledger.claim IS 'Names that only one stream may hold; position is that of the claiming command''s last event.';

CREATE TABLE ledger.answer (
    scope         text         NOT NULL,
    key           text         NOT NULL,
    request_hash  bytea        NOT NULL,
    body          bytea        NOT NULL,
    position      bigint       NOT NULL,
    recorded_at   timestamptz  NOT NULL,
    PRIMARY KEY (scope, key)
);
COMMENT ON TABLE ledger.answer IS 'What was answered to a request with an idempotency key. Purged by age.';

CREATE SEQUENCE ledger.ticket_number AS integer MAXVALUE 999999999;

-- ----------------------------------------------------------------------------------- events stay events

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = 'events are never changed or removed: ' || tg_op || ' refused';
END $$;

CREATE TRIGGER event_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_is_final;

-- -------------------------------------------------------------------------------------------- appending

-- One transaction for many commands. The n-th event gets position head + n. "places" say which event (from 1)
-- a claim or an answer belongs to. A version that is taken, or that does not follow the one before it in its
-- stream, is a unique_violation for the whole call: the caller then finds out which command was to blame.
-- Call it in a session with force_generic_plan and without enable_seqscan (adapters/store/engine.py says why).
CREATE FUNCTION ledger.append(
    ids            uuid[],
    versions       bigint[],
    topics         text[],
    states         bytea[],
    content_ids    uuid[]   DEFAULT NULL,
    salts          bytea[]  DEFAULT NULL,
    media_types    text[]   DEFAULT NULL,
    bodies         bytea[]  DEFAULT NULL,
    claim_kinds    text[]   DEFAULT NULL,
    claim_keys     text[]   DEFAULT NULL,
    claim_ids      uuid[]   DEFAULT NULL,
    claim_places   bigint[] DEFAULT NULL,
    answer_scopes  text[]   DEFAULT NULL,
    answer_keys    text[]   DEFAULT NULL,
    answer_hashes  bytea[]  DEFAULT NULL,
    answer_bodies  bytea[]  DEFAULT NULL,
    answer_places  bigint[] DEFAULT NULL,
    OUT head       bigint,
    OUT now_at     timestamptz
) LANGUAGE plpgsql
AS $$
DECLARE
    last_at  timestamptz;
BEGIN
    -- The number names this lock all over the program (adapters/store/connection.py). It is held until commit,
    -- so positions become visible in their order; unlike LOCK TABLE it does not stand against VACUUM.
    PERFORM pg_advisory_xact_lock(5640100001);

    SELECT e.position, e.recorded_at INTO head, last_at
      FROM ledger.event AS e ORDER BY e.position DESC LIMIT 1;
    head := coalesce(head, 0);
    now_at := greatest(last_at, clock_timestamp());

    INSERT INTO ledger.event (position, originator_version, recorded_at, originator_id, topic, state)
    SELECT head + new.place, new.version, now_at, new.id, new.topic, new.state
      FROM unnest(ids, versions, topics, states) WITH ORDINALITY AS new(id, version, topic, state, place);

    PERFORM FROM unnest(ids, versions) WITH ORDINALITY AS new(id, version, place)
     WHERE new.version > 1
       AND head + new.place <= coalesce((
            SELECT before.position FROM ledger.event AS before
             WHERE before.originator_id = new.id AND before.originator_version = new.version - 1
           ), 9223372036854775807);
    IF FOUND THEN
        RAISE unique_violation USING MESSAGE = 'a version does not follow the one before it';
    END IF;

    IF content_ids IS NOT NULL THEN
        INSERT INTO ledger.content (id, salt, media_type, body)
        SELECT * FROM unnest(content_ids, salts, media_types, bodies);
    END IF;
    IF claim_kinds IS NOT NULL THEN
        INSERT INTO ledger.claim (kind, key, originator_id, position)
        SELECT new.kind, new.key, new.id, head + new.place
          FROM unnest(claim_kinds, claim_keys, claim_ids, claim_places) AS new(kind, key, id, place);
    END IF;
    IF answer_scopes IS NOT NULL THEN
        INSERT INTO ledger.answer (scope, key, request_hash, body, position, recorded_at)
        SELECT new.scope, new.key, new.hash, new.body, head + new.place, now_at
          FROM unnest(answer_scopes, answer_keys, answer_hashes, answer_bodies, answer_places)
               AS new(scope, key, hash, body, place);
    END IF;

    -- One a transaction: NOTIFY takes a lock of the whole server at commit.
    PERFORM pg_notify('ticketledger_events', (head + cardinality(ids))::text);
END $$;

-- --------------------------------------------------------------------------------- the running service

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ticketledger_service') THEN
        CREATE ROLE ticketledger_service NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the whole server: another database was migrated in this moment
END $$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'ticketledger_service', 'MEMBER') THEN
        GRANT ticketledger_service TO CURRENT_USER;
    END IF;
END $$;

REVOKE ALL ON FUNCTION ledger.append FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO ticketledger_service;
GRANT SELECT ON ledger.migration TO ticketledger_service;
GRANT SELECT, INSERT ON ledger.event, ledger.claim TO ticketledger_service;
GRANT SELECT, INSERT, DELETE ON ledger.content, ledger.answer TO ticketledger_service;
GRANT SELECT, USAGE ON SEQUENCE ledger.ticket_number TO ticketledger_service;
GRANT EXECUTE ON FUNCTION ledger.append TO ticketledger_service;
GRANT USAGE, CREATE ON SCHEMA view TO ticketledger_service;
