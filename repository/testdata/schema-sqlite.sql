CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    host TEXT NOT NULL
) STRICT;
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    data   BLOB NOT NULL
) STRICT;
CREATE TABLE deployments (
    account         TEXT    NOT NULL,
    deployment_id   TEXT    NOT NULL,
    release_name    TEXT    NOT NULL,
    release_version INTEGER NOT NULL,
    app             TEXT    NOT NULL,
    spec_hash       TEXT    NOT NULL,
    wanted          INTEGER NOT NULL,
    attempt         INTEGER NOT NULL,
    due             INTEGER NOT NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    last_error      TEXT    NOT NULL,
    handle          TEXT, retire_until INTEGER,
    PRIMARY KEY (account, deployment_id)
) STRICT;
CREATE INDEX deployments_care ON deployments (due) WHERE wanted AND due > 0;
CREATE INDEX deployments_release ON deployments (release_name, release_version);
CREATE INDEX deployments_unwanted ON deployments (due) WHERE NOT wanted;
CREATE TABLE installation (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id        TEXT    NOT NULL,
    created   INTEGER NOT NULL
, restored INTEGER) STRICT;
CREATE TABLE operation_events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id TEXT    NOT NULL REFERENCES operations (id),
    time         INTEGER NOT NULL,
    from_state   TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    to_state     TEXT    NOT NULL,
    message      TEXT    NOT NULL
) STRICT;
CREATE INDEX operation_events_operation ON operation_events (operation_id, id);
CREATE TABLE operations (
    id               TEXT PRIMARY KEY,
    kind             TEXT    NOT NULL,
    release_name     TEXT    NOT NULL,
    source_version   INTEGER NOT NULL,
    target_version   INTEGER NOT NULL,
    state            TEXT    NOT NULL,
    outcome          TEXT    NOT NULL,
    deadline         INTEGER NOT NULL,
    due              INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    created          INTEGER NOT NULL,
    updated          INTEGER NOT NULL,
    ended            INTEGER,
    lease_owner      TEXT    NOT NULL,
    lease_until      INTEGER NOT NULL,
    token            INTEGER NOT NULL,
    error            TEXT,
    plan             TEXT    NOT NULL
, account TEXT NOT NULL DEFAULT '', idempotency_key TEXT, request TEXT) STRICT;
CREATE INDEX operations_created ON operations (created DESC, id DESC);
CREATE INDEX operations_due ON operations (due, id) WHERE outcome = 'running';
CREATE UNIQUE INDEX operations_idempotency_key ON operations (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX operations_kind_created ON operations (kind, created DESC, id DESC);
CREATE INDEX operations_outcome_created ON operations (outcome, created DESC, id DESC);
CREATE INDEX operations_queued ON operations (release_name, created, id) WHERE outcome = 'queued';
CREATE INDEX operations_release_created ON operations (release_name, created DESC, id DESC);
CREATE UNIQUE INDEX operations_running ON operations (release_name) WHERE outcome = 'running';
CREATE INDEX operations_taken ON operations (release_name, target_version)
    WHERE token > 1 AND kind IN ('install', 'rollback') AND outcome IN ('failed', 'cancelled');
CREATE TABLE packages (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id      INTEGER NOT NULL REFERENCES repositories (id),
    repository_name    TEXT,
    blob_digest        TEXT REFERENCES blobs (digest),
    api_version        TEXT    NOT NULL,
    origin             TEXT,
    kind               TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    display_name       TEXT,
    version            TEXT    NOT NULL,
    package_source_url TEXT,
    package_home_url   TEXT,
    tags               TEXT,
    maintainer         TEXT,
    description        TEXT,
    sha256             TEXT,
    icon_url           TEXT
) STRICT;
CREATE INDEX packages_blob ON packages (blob_digest);
CREATE INDEX packages_name ON packages (name);
CREATE UNIQUE INDEX packages_repository_name_version ON packages (repository_id, name, version);
CREATE TABLE ports (
    host  TEXT    NOT NULL,
    port  INTEGER NOT NULL,
    owner TEXT    NOT NULL,
    PRIMARY KEY (host, port)
) STRICT;
CREATE INDEX ports_owner ON ports (owner, host);
CREATE TABLE releases (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    object_version  INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    status          TEXT    NOT NULL,
    first_deployed  INTEGER,
    last_deployed   INTEGER,
    platform_name   TEXT    NOT NULL,
    package_id      INTEGER NOT NULL,
    repository_id   INTEGER,
    description     TEXT    NOT NULL,
    apps            TEXT,
    platform_status TEXT,
    config_values   TEXT,
    manifest        TEXT,
    pkg             TEXT    NOT NULL
) STRICT;
CREATE INDEX releases_name_status_version ON releases (name, status, version);
CREATE UNIQUE INDEX releases_name_version ON releases (name, version DESC);
CREATE INDEX releases_package ON releases (package_id, name, version);
CREATE INDEX releases_status_last_deployed ON releases (status, last_deployed);
CREATE TABLE repositories (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL,
    url         TEXT    NOT NULL,
    source_url  TEXT,
    local       INTEGER NOT NULL,
    description TEXT,
    repo_order  INTEGER
) STRICT;
CREATE UNIQUE INDEX repositories_name ON repositories (name);
