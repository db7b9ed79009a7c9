-- Platform accounts whose applications run on one host know which.

-- +goose Up
CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    host TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE accounts;
