-- The version of a failed install is free again only where one server alone worked on it.

-- +goose Up
CREATE INDEX operations_taken ON operations (release_name, target_version)
    WHERE token > 1 AND kind IN ('install', 'rollback') AND outcome IN ('failed', 'cancelled');

-- +goose Down
DROP INDEX operations_taken;
