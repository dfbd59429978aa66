-- Who may come in: tokens, and the sessions of browsers that were opened with one. Not part of the ledger:
-- what a person may do is decided by the roles that the log tells of.

CREATE SCHEMA access;

CREATE TABLE access.token (
    id            uuid         NOT NULL PRIMARY KEY,
    hash          bytea        NOT NULL UNIQUE,
    person        uuid         NOT NULL,
    scopes        text[]       NOT NULL,
    label         text         NOT NULL,
    created_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz  NOT NULL,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);
COMMENT ON TABLE access.token IS 'hash is SHA-256 of the token, which is shown once and kept nowhere. last_used_at is coarse.';

CREATE TABLE access.session (
    hash        bytea        NOT NULL PRIMARY KEY,
    token       uuid         NOT NULL REFERENCES access.token,
    expires_at  timestamptz  NOT NULL
);
COMMENT ON TABLE access.session IS 'hash is SHA-256 of the cookie. A session ends with its token at the latest.';
CREATE INDEX session_expiry ON access.session (expires_at);

GRANT USAGE ON SCHEMA access TO ticketledger_service;
GRANT SELECT, INSERT ON access.token TO ticketledger_service;
GRANT UPDATE (revoked_at, last_used_at) ON access.token TO ticketledger_service;
GRANT SELECT, INSERT, DELETE ON access.session TO ticketledger_service;
