-- Operations know the platform account they work on, what was asked for, and the client's name of the request; those
-- that wait for their turn are rows with the outcome queued.

-- +goose Up
ALTER TABLE operations ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN idempotency_key TEXT COLLATE "C";
ALTER TABLE operations ADD COLUMN request TEXT COLLATE "C";
UPDATE operations SET account = COALESCE(plan::json ->> 'account', '');

CREATE UNIQUE INDEX operations_idempotency_key ON operations (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX operations_queued ON operations (release_name, created, id) WHERE outcome = 'queued';
CREATE INDEX operations_outcome_created ON operations (outcome, created DESC, id DESC);
CREATE INDEX operations_kind_created ON operations (kind, created DESC, id DESC);

-- +goose Down
DROP INDEX operations_kind_created;
DROP INDEX operations_outcome_created;
DROP INDEX operations_queued;
DROP INDEX operations_idempotency_key;
ALTER TABLE operations DROP COLUMN request;
ALTER TABLE operations DROP COLUMN idempotency_key;
ALTER TABLE operations DROP COLUMN account;
