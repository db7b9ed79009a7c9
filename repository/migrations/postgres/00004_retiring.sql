-- Deployments that were replaced and are left to end by themselves know until when; wanted ones are due when their
-- platform wants to look after them, 0 is never. The installation knows when it was restored from a backup.

-- +goose Up
ALTER TABLE deployments ADD COLUMN retire_until BIGINT;
ALTER TABLE installation ADD COLUMN restored BIGINT;
UPDATE deployments SET due = 0 WHERE wanted;

CREATE INDEX deployments_care ON deployments (due) WHERE wanted AND due > 0;

-- +goose Down
DROP INDEX deployments_care;
ALTER TABLE installation DROP COLUMN restored;
ALTER TABLE deployments DROP COLUMN retire_until;
