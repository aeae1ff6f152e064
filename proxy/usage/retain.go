package usage

import (
	"database/sql"
	"time"

	"github.com/korproxy/korproxy/internal/store"
)

// How much one step of upkeep takes on: some milliseconds of the disk.
const (
	deleteRows  = 500
	shrinkPages = 200
	maxDays     = 36_500 // beyond, times have no number
)

// upkeep does one step of what keeps the file small, and says when the next is due.
func (w *writer) upkeep() time.Duration {
	db := w.l.db.Load()
	if db == nil {
		return lastRetry
	}
	more, err := w.seal(db)
	if err == nil && !more {
		more, err = w.expire(db)
	}
	if err == nil && !more {
		var left int64
		left, err = db.Shrink(w.ctx, shrinkPages)
		more = left > 0
	}
	switch {
	case err != nil:
		w.l.o.Log.Debug("upkeep of the ledger", "error", err)
		return time.Hour
	case more:
		return stepPause
	}
	return upkeepEach
}

// oldest is the time before which nothing is kept.
func (l *Ledger) oldest() time.Time {
	return l.o.Now().AddDate(0, 0, -int(min(max(1, l.o.Days()), maxDays)))
}

// expire deletes some of what is too old or too much.
func (w *writer) expire(db *store.DB) (more bool, err error) {
	cutoff := w.l.oldest().UnixMilli()
	err = db.Write(w.ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(w.ctx, "DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE time < ? ORDER BY time LIMIT ?)", cutoff, deleteRows)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return err
		}
		if over := w.kept - n - w.l.o.MaxRows; over > 0 && n < deleteRows {
			r, err := tx.ExecContext(w.ctx, "DELETE FROM requests WHERE seq IN (SELECT seq FROM requests ORDER BY seq LIMIT ?)", min(over, deleteRows-n))
			if err != nil {
				return err
			}
			m, err := r.RowsAffected()
			if err != nil {
				return err
			}
			n += m
		}
		more = n == deleteRows
		if n == 0 {
			return nil
		}
		w.kept -= n
		if _, err := tx.ExecContext(w.ctx, "DELETE FROM blocks WHERE newest < ? OR last < (SELECT coalesce(min(seq), 0) FROM requests)", cutoff); err != nil {
			return err
		}
		return nil
	})
	return more, err
}
