-- What we say to partners' interfaces to be let in: passwords and tokens. Never in events, never shown again.

CREATE TABLE access.helpdesk_secret (
    helpdesk    text         NOT NULL PRIMARY KEY,
    secret      text         NOT NULL,
    changed_at  timestamptz  NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE access.helpdesk_secret IS 'One a helpdesk, by its name; the account it belongs to stands in the address.';

GRANT SELECT, INSERT, UPDATE, DELETE ON access.helpdesk_secret TO ticketledger_service;
