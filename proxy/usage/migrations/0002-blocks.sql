-- What reports add up, by column and packed: reading it takes a hundredth of
-- the time that reading the rows does. Every row up to the last block's is in one.
CREATE TABLE blocks (
  first  INTEGER PRIMARY KEY, -- seq
  last   INTEGER NOT NULL,    -- seq
  oldest INTEGER NOT NULL,    -- time
  newest INTEGER NOT NULL,    -- time
  data   BLOB NOT NULL        -- numbers only, see columns.go
) STRICT;
