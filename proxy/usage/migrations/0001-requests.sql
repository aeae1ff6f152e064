-- Words that come again and again, by number. No text of a request fits in here.
CREATE TABLE names (
  id   INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 128),
  UNIQUE (kind, name)
) STRICT;

-- Keyed hashes of folders are made with this salt, which never leaves the file.
CREATE TABLE salt (id INTEGER PRIMARY KEY CHECK (id = 1), salt BLOB NOT NULL CHECK (length(salt) = 32)) STRICT;

-- One row a request. time is in Unix milliseconds, tool and code are numbers of
-- names (0: none), data holds the other numbers, see row.go. Each index and each
-- column costs something with every request, so there are few.
CREATE TABLE requests (
  seq  INTEGER PRIMARY KEY,
  id   TEXT NOT NULL CHECK (length(CAST(id AS BLOB)) <= 32),
  time INTEGER NOT NULL,
  tool INTEGER NOT NULL,
  code INTEGER NOT NULL,
  data BLOB NOT NULL CHECK (length(data) <= 256) -- numbers only
) STRICT;

CREATE INDEX requests_id ON requests (id);
CREATE INDEX requests_time ON requests (time);
CREATE INDEX requests_code ON requests (code, time) WHERE code <> 0;
