-- The first schema. Numbered files are never changed once released: a later one alters what is here.
-- Times are milliseconds since the Unix epoch. Accounts and message ids are their 16 bytes. What Rust calls an
-- enum is a small integer here, listed beside the column.

-- This device: one row. Everything here is secret or about this device alone, and never in a backup.
CREATE TABLE local_device (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    account BLOB NOT NULL,                  -- made from the account key: saves deriving it with every look
    account_key BLOB NOT NULL,              -- Ed25519 seed, 32 bytes
    device INTEGER NOT NULL,
    identity_key BLOB NOT NULL,             -- an encoded IdentityKeyPair
    authentication_key BLOB NOT NULL,       -- Ed25519 seed, 32 bytes
    registration_id INTEGER NOT NULL,
    chain INTEGER NOT NULL,                 -- sequence chain of what this device sends
    device_list BLOB NOT NULL,              -- as signed by the account key
    device_list_signature BLOB NOT NULL,
    device_list_version INTEGER NOT NULL,
    user_name TEXT,                         -- taken at the relay
    user_name_due INTEGER NOT NULL DEFAULT 0, -- the relay forgot it
    registered INTEGER NOT NULL DEFAULT 0,  -- the relay of storage_epoch knows the list above
    storage_epoch BLOB,                     -- of the relay we last spoke to, 16 bytes
    received_through INTEGER NOT NULL DEFAULT 0, -- mailbox position, stored durably
    clock_last INTEGER NOT NULL DEFAULT 0,
    clock_offset INTEGER NOT NULL DEFAULT 0,
    next_pre_key INTEGER NOT NULL DEFAULT 1, -- of every kind; numbers are never used again
    ratchet_steps INTEGER NOT NULL DEFAULT 1, -- transactions that moved a ratchet; see the high-water mark
    delivery_token BLOB NOT NULL,           -- 16 bytes that contacts show to the relay
    replay_guard BLOB NOT NULL
) STRICT;

-- Which process is connected, where several share this file: at most one row. Only saves work that is done twice.
CREATE TABLE connected_process (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    process BLOB NOT NULL,                  -- 16 random bytes, new for each opened client
    app INTEGER NOT NULL,                   -- 1 has precedence, 0 makes way
    until_ms INTEGER NOT NULL               -- by this device's clock
) STRICT;

CREATE TABLE pre_key (
    kind INTEGER NOT NULL,                  -- 1 one-time, 2 signed, 3 one-time KEM, 4 last-resort KEM
    id INTEGER NOT NULL,
    record BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    retired_ms INTEGER,                     -- a newer one took its place
    uploaded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id)
) STRICT;

-- People: whoever we wrote to, or who wrote to us.
CREATE TABLE contact (
    account BLOB PRIMARY KEY,
    device_list BLOB,                       -- the newest seen, as signed; NULL: none seen yet
    device_list_signature BLOB,
    device_list_version INTEGER NOT NULL DEFAULT 0,
    account_key BLOB,                       -- Ed25519 public key of that list
    name TEXT,                              -- given by the app's user
    user_name TEXT,                         -- the name it was found by
    verified INTEGER NOT NULL DEFAULT 0,    -- safety number compared
    changed INTEGER NOT NULL DEFAULT 0,     -- devices changed since, not accepted yet
    blocked INTEGER NOT NULL DEFAULT 0,
    told_list_version INTEGER NOT NULL DEFAULT 0, -- of our own list, sent to them
    told_token INTEGER NOT NULL DEFAULT 0,  -- our delivery token was sent to them
    delivery_token BLOB,                    -- theirs, 16 bytes
    list_wanted INTEGER NOT NULL DEFAULT 0  -- something they sent does not fit the list we have
) STRICT;

CREATE UNIQUE INDEX contact_user_name ON contact (user_name) WHERE user_name IS NOT NULL;

CREATE INDEX contact_list_wanted ON contact (account) WHERE list_wanted = 1;

CREATE TABLE contact_device (
    account BLOB NOT NULL REFERENCES contact ON DELETE CASCADE,
    device INTEGER NOT NULL,
    identity_key BLOB NOT NULL,             -- 33 bytes
    registration_id INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) STRICT;

CREATE TABLE session (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    state BLOB NOT NULL,                    -- an encoded Session
    PRIMARY KEY (account, device)
) STRICT;

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    conversation_id BLOB NOT NULL UNIQUE,
    peer BLOB REFERENCES contact,           -- NULL: a group
    standing INTEGER NOT NULL,              -- 0 requested by a stranger, 1 accepted
    activity INTEGER NOT NULL DEFAULT 0,    -- stamp of the last message, or when it was opened
    last_message INTEGER,                   -- message.id
    unread INTEGER NOT NULL DEFAULT 0,
    next_sequence INTEGER NOT NULL DEFAULT 1, -- of this device
    hidden INTEGER NOT NULL DEFAULT 0,      -- deleted here, until something comes
    archived INTEGER NOT NULL DEFAULT 0,
    muted_until_ms INTEGER NOT NULL DEFAULT 0,
    pinned_ms INTEGER NOT NULL DEFAULT 0,   -- 0 not pinned
    timer_s INTEGER NOT NULL DEFAULT 0,     -- how long what is sent stays after reading; 0 for ever
    draft TEXT
) STRICT;

CREATE INDEX conversation_order ON conversation (archived, pinned_ms DESC, activity DESC, id) WHERE hidden = 0;
CREATE UNIQUE INDEX conversation_peer ON conversation (peer) WHERE peer IS NOT NULL;

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of arrival on this device
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    message_id BLOB NOT NULL,
    sender BLOB NOT NULL,
    device INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    stamp INTEGER NOT NULL,                 -- the effective one, which orders
    content BLOB NOT NULL,                  -- an encoded Content; empty once deleted
    state INTEGER NOT NULL,                 -- -1 deleted; -2 received change, -3 own change; received: 0 held back, 1 unread, 2 read; own: 10 queued, 11 sent,
                                            -- 12 delivered, 13 read, 14 failed
    failure INTEGER,                        -- why, of a failed one
    created_ms INTEGER NOT NULL,            -- own: when it was sent here; received: when it came
    accepted_ms INTEGER,                    -- by the relay's clock
    delivered_ms INTEGER,
    read_ms INTEGER,
    recipients INTEGER,                     -- own, in a group: how many it went to
    shared_by BLOB,                         -- a member who told it to us: it was said before we came
    notice INTEGER NOT NULL DEFAULT 0,      -- 1: a change of the group, never unread; 2: not shown at all
    quiet INTEGER NOT NULL DEFAULT 0,       -- an edit, reaction or the like: shows nowhere by itself
    starred_ms INTEGER,                     -- marked on this device
    pinned_ms INTEGER,                      -- held up for all, since
    edited_ms INTEGER,
    changed INTEGER NOT NULL DEFAULT 0,     -- there are reactions or votes
    expires_after_s INTEGER NOT NULL DEFAULT 0, -- how long it stays after reading; 0 for ever
    expires_ms INTEGER,                     -- when it is to go, by this device's clock
    shown BLOB,                             -- what is shown in place of content, once edited
    UNIQUE (sender, message_id),
    UNIQUE (conversation, sender, device, chain, sequence)
) STRICT;

CREATE INDEX message_order ON message (conversation, stamp, sender, device, sequence) WHERE state > 0;
CREATE INDEX message_unread ON message (conversation, stamp) WHERE state = 1;
CREATE INDEX message_starred ON message (starred_ms) WHERE starred_ms IS NOT NULL;
CREATE INDEX message_pinned ON message (conversation, pinned_ms) WHERE pinned_ms IS NOT NULL;
CREATE INDEX message_expiring ON message (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX message_held ON message (conversation, sender, device, chain, sequence) WHERE state = 0;

-- What a quiet message changes. What it says is in its content.
CREATE TABLE change (
    post INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    kind INTEGER NOT NULL,                  -- field number in Content: 2 edit, 3 reaction, 4 deletion, 6 pin, 7 timer, 11 vote
    target_sender BLOB,                     -- the message to be changed; NULL: the conversation
    target_id BLOB,
    target INTEGER REFERENCES message ON DELETE CASCADE -- NULL: it has not come yet
) STRICT;

CREATE INDEX change_of_target ON change (target) WHERE target IS NOT NULL;
CREATE INDEX change_waiting ON change (conversation, target_sender, target_id)
    WHERE target IS NULL AND target_sender IS NOT NULL;
CREATE INDEX change_of_conversation ON change (conversation) WHERE target_sender IS NULL;

-- Messages that quote another one: the quote goes when that goes.
CREATE TABLE quote (
    message INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    sender BLOB NOT NULL,
    message_id BLOB NOT NULL
) STRICT;

CREATE INDEX quote_of ON quote (sender, message_id);

-- Full-text index over message.id; keeps no copy of the text.
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', contentless_delete = 1, prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

-- How far a sending device's sequence has come here without a gap, in one conversation.
CREATE TABLE sender_chain (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    sender BLOB NOT NULL,
    device INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    shown_through INTEGER NOT NULL,         -- all up to here is shown or known to be missing
    PRIMARY KEY (conversation, sender, device, chain)
) STRICT;

-- Missing messages that were reported.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    sender BLOB NOT NULL,
    device INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    stamp INTEGER NOT NULL,                 -- of the message that showed the gap
    gone INTEGER NOT NULL DEFAULT 0,        -- the sender has them no more
    asked INTEGER NOT NULL DEFAULT 0        -- how often it was asked for
) STRICT;

CREATE INDEX gap_of_chain ON gap (conversation, sender, device, chain, first);
CREATE INDEX gap_to_ask ON gap (id) WHERE gone = 0;

-- What is to be encrypted and sent, until it is delivered.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient BLOB NOT NULL,
    message INTEGER REFERENCES message ON DELETE CASCADE, -- NULL: a receipt or request, which shows nowhere
    only_device INTEGER,                    -- a re-send that one device asked for; NULL: all of them
    replaces BLOB,                          -- envelope ids that did not decrypt there
    body BLOB NOT NULL,                     -- an encoded Plaintext, to be encrypted (again)
    envelope_id BLOB NOT NULL,              -- rows that travel together have the same
    state INTEGER NOT NULL,                 -- 0 to be encrypted, 1 encrypted, 2 stored by the relay
    attempts INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    UNIQUE (envelope_id, recipient)
) STRICT;

CREATE INDEX outbox_waiting ON outbox (id) WHERE state < 2;
CREATE INDEX outbox_recipient ON outbox (recipient, id);
CREATE INDEX outbox_message ON outbox (message) WHERE message IS NOT NULL;
CREATE INDEX outbox_control ON outbox (created_ms) WHERE message IS NULL;

CREATE TABLE outbox_device (
    outbox INTEGER NOT NULL REFERENCES outbox ON DELETE CASCADE,
    device INTEGER NOT NULL,
    registration_id INTEGER NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (outbox, device)
) STRICT;

-- Receipts to be sent, in batches.
CREATE TABLE receipt_due (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    kind INTEGER NOT NULL,                  -- 1 delivered, 2 read
    sender BLOB NOT NULL,                   -- of the message, who is told
    device INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (conversation, sender, kind, device, chain, sequence)
) STRICT, WITHOUT ROWID;

-- Envelopes that did not decrypt, until the sender sent them again.
CREATE TABLE undecryptable (
    id INTEGER PRIMARY KEY,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    envelope_id BLOB NOT NULL,
    cause TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,       -- how often it was asked for
    gone INTEGER NOT NULL DEFAULT 0,        -- the sender knows nothing of it
    UNIQUE (account, device, envelope_id)
) STRICT;

CREATE INDEX undecryptable_to_ask ON undecryptable (id) WHERE gone = 0;

-- New sessions made to heal, so that nobody can make us drain a peer's pre-keys.
CREATE TABLE repair (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    reset_ms INTEGER NOT NULL,
    PRIMARY KEY (account, device)
) STRICT;

-- Authentic messages that make no sense: kept to be looked at, never shown, never tried again.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    envelope_id BLOB NOT NULL,
    cause TEXT NOT NULL,
    plaintext BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

-- Groups: the signed log, and what it says. Members exchange it end to end; the relay knows nothing of it.

CREATE TABLE group_info (
    conversation INTEGER PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    name TEXT NOT NULL,                     -- from here to timer_s: what the log amounts to
    description TEXT NOT NULL,
    icon BLOB NOT NULL,                     -- empty: none
    admins_send_ms INTEGER,                 -- since when only admins may send; NULL: all may
    admins_edit INTEGER NOT NULL,
    timer_s INTEGER NOT NULL,
    heads BLOB NOT NULL,                    -- ids of the changes that no other names, 32 bytes each
    forks INTEGER NOT NULL DEFAULT 0,       -- how often changes were made side by side
    asked_ms INTEGER NOT NULL DEFAULT 0,    -- when changes were last asked for
    invite_secret BLOB                      -- 32 bytes, of the link that this device made
) STRICT;

CREATE TABLE group_member (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    account BLOB NOT NULL,
    admin INTEGER NOT NULL,
    since INTEGER NOT NULL,                 -- stamp of the change that brought them in
    left_ms INTEGER,                        -- when they were taken out, by that change's stamp; NULL: a member
    admin_until_ms INTEGER,                 -- when they were an admin no more, by that change's stamp
    PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_of_member ON group_member (account) WHERE left_ms IS NULL;

CREATE TABLE group_change (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    id BLOB NOT NULL,                       -- SHA-256 of change, 32 bytes
    change BLOB NOT NULL,                   -- as signed
    signature BLOB NOT NULL,
    place INTEGER NOT NULL,                 -- of the order in which they came here: after all they build on
    message INTEGER,                        -- message.id that brought it
    PRIMARY KEY (conversation, id)
) STRICT, WITHOUT ROWID;

-- Changes whose predecessors have not come yet.
CREATE TABLE group_change_early (
    conversation_id BLOB NOT NULL,
    id BLOB NOT NULL,
    -- What is counted stands before what is large: so it is found without reading that.
    sender BLOB NOT NULL,                   -- who may be asked for the others
    device INTEGER NOT NULL,
    message INTEGER,
    accepted_ms INTEGER NOT NULL,           -- by the relay's clock
    signature BLOB NOT NULL,
    change BLOB NOT NULL,
    PRIMARY KEY (conversation_id, id)
) STRICT, WITHOUT ROWID;

-- What this device encrypts with in a group.
CREATE TABLE own_sender_key (
    conversation INTEGER PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    state BLOB NOT NULL,                    -- an encoded OutboundSenderKey
    generation INTEGER NOT NULL,            -- rises when it is replaced
    messages INTEGER NOT NULL,              -- encrypted with it
    created_ms INTEGER NOT NULL
) STRICT;

-- Who was given the own sender key, by generation: an older one is kept as long as something made with it waits.
CREATE TABLE sender_key_given (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    account BLOB NOT NULL,
    generation INTEGER NOT NULL,
    iteration INTEGER,                      -- they can read from here on; NULL: they hold it, and are given it anew
    outbox INTEGER NOT NULL,                -- the row that takes it there
    PRIMARY KEY (conversation, account, generation)
) STRICT, WITHOUT ROWID;

-- What others encrypt with.
CREATE TABLE sender_key (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    distribution BLOB NOT NULL,             -- 16 bytes
    conversation_id BLOB NOT NULL,
    chain INTEGER NOT NULL,                 -- of the posts that come with it
    first INTEGER NOT NULL,                 -- the first of them meant for us
    state BLOB NOT NULL,                    -- an encoded InboundSenderKey
    changed_ms INTEGER NOT NULL,
    changes INTEGER NOT NULL,               -- in the hour that began then
    PRIMARY KEY (account, device, distribution)
) STRICT, WITHOUT ROWID;

-- Group messages on their way: one ciphertext for all.
CREATE TABLE group_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    body BLOB NOT NULL,                     -- an encoded Plaintext, to be encrypted (again)
    envelope_id BLOB NOT NULL UNIQUE,
    ciphertext BLOB,                        -- NULL: to be encrypted
    generation INTEGER NOT NULL DEFAULT 0,  -- of the sender key that made it
    iteration INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX group_outbox_message ON group_outbox (message);

CREATE TABLE group_outbox_recipient (
    outbox INTEGER NOT NULL REFERENCES group_outbox ON DELETE CASCADE,
    account BLOB NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0,      -- the relay has it for them
    PRIMARY KEY (outbox, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_outbox_waiting ON group_outbox_recipient (outbox) WHERE stored = 0;

-- Who has an own group message.
CREATE TABLE group_receipt (
    message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    account BLOB NOT NULL,
    delivered_ms INTEGER,
    read_ms INTEGER,
    PRIMARY KEY (message, account)
) STRICT, WITHOUT ROWID;

-- People who ask to be let in by an invite link, until an admin decides.
CREATE TABLE join_request (
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    account BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;

-- Groups that this device asked to be let into.
CREATE TABLE join_wish (
    conversation_id BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT;

-- Uploads, until a message has the file. Their ciphertext lies in the media folder: however often it is tried, the same
-- bytes are sent.
CREATE TABLE upload (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file BLOB NOT NULL UNIQUE,              -- 16 random bytes: what the ciphertext's file is called
    attachment BLOB NOT NULL,               -- an encoded Attachment, complete but for the blob's id
    blob_id BLOB,                           -- 32 bytes, as the relay gave them; NULL: not announced yet
    token BLOB,                             -- 32 bytes, with it
    complete INTEGER NOT NULL DEFAULT 0,    -- the relay has all of it
    created_ms INTEGER NOT NULL
) STRICT;

-- Blobs whose ciphertext is kept in the media folder.
CREATE TABLE media_blob (
    name BLOB PRIMARY KEY,                  -- SHA-256 of the blob's id
    size INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    doomed INTEGER NOT NULL DEFAULT 0       -- the last message that had it was deleted
) STRICT;

CREATE INDEX media_blob_used ON media_blob (doomed DESC, used_ms);

-- The files of messages, for listing them.
CREATE TABLE media (
    message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
    position INTEGER NOT NULL,              -- in the message, from 0
    conversation INTEGER NOT NULL,
    stamp INTEGER NOT NULL,                 -- the message's
    kind INTEGER NOT NULL,                  -- 1 image, 2 video, 3 audio, 4 voice, 5 document
    blob BLOB NOT NULL,                     -- as media_blob.name
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_order ON media (conversation, stamp);
CREATE INDEX media_of_blob ON media (blob);

-- Whatever moves or deletes a message need not know of its files.
CREATE TRIGGER media_moves AFTER UPDATE OF stamp ON message WHEN new.stamp <> old.stamp BEGIN
    UPDATE media SET stamp = new.stamp WHERE message = new.id;
END;
CREATE TRIGGER media_goes AFTER UPDATE OF content ON message WHEN length(new.content) = 0 BEGIN
    DELETE FROM media WHERE message = new.id;
END;
CREATE TRIGGER media_dooms AFTER DELETE ON media
WHEN NOT EXISTS (SELECT 1 FROM media WHERE blob = old.blob) BEGIN
    UPDATE media_blob SET doomed = 1 WHERE name = old.blob;
END;
