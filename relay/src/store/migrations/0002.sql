-- When the message was accepted, milliseconds since the Unix epoch: a repeat is answered with it. 0 where it
-- was stored before this was kept.
ALTER TABLE seen_a ADD COLUMN accepted_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE seen_b ADD COLUMN accepted_ms INTEGER NOT NULL DEFAULT 0;
