-- What the relay keeps. It holds ciphertext, public keys and hashes; see the page "what the relay knows".

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE account (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    account        BLOB    NOT NULL UNIQUE,
    device_list    BLOB    NOT NULL,
    list_signature BLOB    NOT NULL,
    list_version   INTEGER NOT NULL,
    token_hash     BLOB,
    blocked        INTEGER NOT NULL DEFAULT 0
);

-- AUTOINCREMENT: the number of a removed device never names another, so a journal row that outlives its
-- device cannot reach a stranger's mailbox.
CREATE TABLE device (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    account            INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    number             INTEGER NOT NULL,
    identity_key       BLOB    NOT NULL,
    authentication_key BLOB    NOT NULL,
    registration_id    INTEGER NOT NULL,
    UNIQUE (account, number)
);

CREATE TABLE name (
    kind    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX name_by_account ON name (account);

-- Pre-keys that are replaced: 0 signed, 1 last-resort KEM.
CREATE TABLE lasting_key (
    device     INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    kind       INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BLOB    NOT NULL,
    signature  BLOB    NOT NULL,
    PRIMARY KEY (device, kind)
) WITHOUT ROWID;

-- Pre-keys that are handed out once: 0 Curve25519, 1 KEM.
CREATE TABLE one_time_key (
    device     INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    kind       INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    public_key BLOB    NOT NULL,
    signature  BLOB    NOT NULL,
    PRIMARY KEY (device, kind, key_id)
) WITHOUT ROWID;

-- The highest number ever uploaded, so that a repeated upload does not bring a used key back.
CREATE TABLE one_time_key_mark (
    device INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    kind   INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    PRIMARY KEY (device, kind)
) WITHOUT ROWID;

-- One row a group commit: what was sent and acknowledged in it, until it is settled.
CREATE TABLE journal (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- A device's place in its mailbox, as of what is settled.
CREATE TABLE queue (
    device  INTEGER PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    last    INTEGER NOT NULL,
    floor   INTEGER NOT NULL,
    settled INTEGER NOT NULL
);

-- Settled messages, in the order in which they are read and deleted. No foreign key: rows of a removed
-- device are deleted with it, and checking each row would cost a lookup.
CREATE TABLE mailbox (
    device      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    header      BLOB    NOT NULL,
    own         BLOB    NOT NULL,
    payload     INTEGER,
    PRIMARY KEY (device, sequence)
) WITHOUT ROWID;

-- A ciphertext that several devices wait for, stored once.
CREATE TABLE payload (
    id      INTEGER PRIMARY KEY,
    waiting INTEGER NOT NULL,
    body    BLOB    NOT NULL
);

-- Which (sender, message id, device) were stored: hashes, in two generations of 30 days.
CREATE TABLE seen_a (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE seen_b (key BLOB PRIMARY KEY) WITHOUT ROWID;

-- Presence values that outlive a restart ("last seen").
CREATE TABLE presence (
    topic      BLOB PRIMARY KEY,
    value      BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX presence_by_expiry ON presence (expires_ms);

-- A blob goes by the hash of its id: who reads this table cannot download. `due_ms` is when it is deleted:
-- until it is complete the end of its upload, then `expires_ms`. No foreign key: what somebody sent stays
-- for who it was sent to, even when the account is gone.
CREATE TABLE blob (
    name       BLOB PRIMARY KEY,
    account    INTEGER NOT NULL,
    token_hash BLOB    NOT NULL,
    size       INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    received   INTEGER NOT NULL DEFAULT 0,
    complete   INTEGER NOT NULL DEFAULT 0,
    due_ms     INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blob_by_account ON blob (account, size);
CREATE INDEX blob_by_due ON blob (due_ms);

-- What the object store holds of a blob, without gaps from 0.
CREATE TABLE blob_part (
    blob   BLOB    NOT NULL REFERENCES blob (name) ON DELETE CASCADE,
    start  INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (blob, start)
) WITHOUT ROWID;

-- What the operator asked a running relay to do.
CREATE TABLE admin_request (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL,
    target BLOB NOT NULL,
    answer TEXT
);
