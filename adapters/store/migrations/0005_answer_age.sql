-- Answers to requests with an idempotency key are forgotten by age, a few at a time: the oldest are found without
-- reading all of them.

CREATE INDEX answer_age ON ledger.answer (recorded_at);
