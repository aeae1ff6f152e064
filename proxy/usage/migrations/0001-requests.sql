-- Words that come again and again, by number. No text of a request fits in here.
CREATE TABLE names (
  id   INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 128),
  UNIQUE (kind, name)
) STRICT;

-- Keyed hashes of folders are made with this salt, which never leaves the file.
CREATE TABLE salt (id INTEGER PRIMARY KEY CHECK (id = 1), salt BLOB NOT NULL CHECK (length(salt) = 32)) STRICT;

-- One row a request. Times are Unix milliseconds or milliseconds, money is in
-- billionths of a dollar (NULL: not known), words are numbers of names (0: none).
CREATE TABLE requests (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL CHECK (length(CAST(id AS BLOB)) <= 32),
  time        INTEGER NOT NULL,
  tool        INTEGER NOT NULL,
  project     INTEGER NOT NULL,
  profile     INTEGER NOT NULL,
  class       INTEGER NOT NULL,
  rule        INTEGER NOT NULL,
  dialect     INTEGER NOT NULL,
  op          INTEGER NOT NULL,
  stream      INTEGER NOT NULL,
  provider    INTEGER NOT NULL,
  account     INTEGER NOT NULL,
  model       INTEGER NOT NULL,
  asked       INTEGER NOT NULL,
  known       INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  reasoning   INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  cost        INTEGER,
  rough       INTEGER NOT NULL,
  latency     INTEGER NOT NULL,
  first_byte  INTEGER NOT NULL,
  outcome     INTEGER NOT NULL,
  code        INTEGER NOT NULL,
  attempts    INTEGER NOT NULL
) STRICT;

CREATE INDEX requests_id ON requests (id);
CREATE INDEX requests_time ON requests (time);
CREATE INDEX requests_tool ON requests (tool, time);
CREATE INDEX requests_code ON requests (code, time) WHERE code <> 0;
