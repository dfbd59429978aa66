-- Feeds of partner helpdesks: tokens that belong to a partner, the keys that sign what is pushed to it, and how far
-- pushing has got. Secrets stand here and never in events.

ALTER TABLE access.token ALTER COLUMN person DROP NOT NULL;
ALTER TABLE access.token ADD COLUMN helpdesk text;
ALTER TABLE access.token ADD CONSTRAINT token_of_one CHECK ((person IS NULL) <> (helpdesk IS NULL));
COMMENT ON COLUMN access.token.helpdesk IS 'The partner that may read its own feed with this token, and nothing else.';

CREATE TABLE access.feed_key (
    id          uuid         NOT NULL PRIMARY KEY,
    helpdesk    text         NOT NULL,
    secret      bytea        NOT NULL,
    created_at  timestamptz  NOT NULL,
    expires_at  timestamptz
);
COMMENT ON TABLE access.feed_key IS 'HMAC keys. The newest of a helpdesk has no end; the one before it ends some time after a rotation.';
CREATE INDEX feed_key_helpdesk ON access.feed_key (helpdesk, created_at);

CREATE TABLE access.feed_progress (
    helpdesk         text         NOT NULL PRIMARY KEY,
    version          bigint       NOT NULL,
    acknowledged     bigint       NOT NULL,
    attempts         int          NOT NULL DEFAULT 0,
    last_error       text         NOT NULL DEFAULT '',
    retry_at         timestamptz,
    changed_at       timestamptz  NOT NULL
);
COMMENT ON TABLE access.feed_progress IS 'acknowledged: the last sequence that the partner took, since the subscription was at that version.';

GRANT SELECT, INSERT, DELETE ON access.feed_key TO ticketledger_service;
GRANT UPDATE (expires_at) ON access.feed_key TO ticketledger_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON access.feed_progress TO ticketledger_service;
