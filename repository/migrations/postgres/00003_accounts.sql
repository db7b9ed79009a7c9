-- Platform accounts whose applications run on one host know which.

-- +goose Up
CREATE TABLE accounts (
    name TEXT COLLATE "C" PRIMARY KEY,
    host TEXT COLLATE "C" NOT NULL
);

-- +goose Down
DROP TABLE accounts;
