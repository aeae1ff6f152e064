package usage

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"github.com/korproxy/korproxy/internal/store"
)

// read takes rows behind seq into the block, at most limit, and gives the seq
// of the last.
func (b *block) read(ctx context.Context, tx *sql.Tx, seq int64, limit int) (last int64, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT seq, time, tool, data FROM requests WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	b.reset()
	var (
		r    row
		data sql.RawBytes
	)
	for rows.Next() {
		if err := rows.Scan(&last, &r.time, &r.tool, &data); err != nil {
			return 0, err
		}
		if err := r.unpack(data); err != nil {
			return 0, err
		}
		for c := range b.cols {
			b.cols[c] = append(b.cols[c], r.column(column(c)))
		}
		b.rows++
	}
	return last, rows.Err()
}

// span is the time of the oldest and of the newest row.
func (b *block) span() (oldest, newest int64) {
	return slices.Min(b.cols[colTime]), slices.Max(b.cols[colTime])
}

// scan goes through all requests of a time, block by block. What a block holds
// beside that time is the callee's to leave out, with inside.
func scan(ctx context.Context, db *store.DB, since, until int64, want *[columns]bool, each func(b *block)) error {
	want[colTime] = true
	return db.Read(ctx, func(tx *sql.Tx) error {
		sealed, err := scanBlocks(ctx, tx, since, until, want, each)
		if err != nil {
			return err
		}
		var b block
		for {
			last, err := b.read(ctx, tx, sealed, blockRows)
			if err != nil || b.rows == 0 {
				return err
			}
			sealed = last
			if oldest, newest := b.span(); newest >= since && oldest < until {
				each(&b)
			}
		}
	})
}

func scanBlocks(ctx context.Context, tx *sql.Tx, since, until int64, want *[columns]bool, each func(b *block)) (sealed int64, err error) {
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(last), 0) FROM blocks").Scan(&sealed); err != nil {
		return 0, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT data FROM blocks WHERE newest >= ? AND oldest < ? ORDER BY first", since, until)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var (
		b    block
		data sql.RawBytes
	)
	for rows.Next() {
		if err := rows.Scan(&data); err != nil {
			return 0, err
		}
		if err := b.unpack(data, want); err != nil {
			return 0, err
		}
		each(&b)
	}
	return sealed, rows.Err()
}

// bounds are times as the file has them. A zero time is no bound.
func bounds(since, until time.Time) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !since.IsZero() {
		from = since.UnixMilli()
	}
	if !until.IsZero() {
		to = until.UnixMilli()
	}
	return from, to
}

// calendar finds the local days of times. It remembers the last day, as times
// come mostly in order.
type calendar struct {
	from, to int64 // of the day
	day      int32
}

func (c *calendar) of(ms int64) int32 {
	if ms >= c.from && ms < c.to {
		return c.day
	}
	t := time.UnixMilli(ms).Local()
	y, m, d := t.Date()
	c.from, c.to = dayStart(y, m, d).UnixMilli(), dayStart(y, m, d+1).UnixMilli()
	c.day = int32(y*10000 + int(m)*100 + d)
	if ms < c.from || ms >= c.to { // such as a day whose midnight a change of the clock skipped
		c.from, c.to = ms, ms+1
	}
	return c.day
}

func dayStart(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, 0, 0, 0, 0, time.Local)
}

// loadSpent takes over what the file says was spent this month.
func (l *Ledger) loadSpent(ctx context.Context, db *store.DB) error {
	y, m, _ := l.o.Now().Local().Date()
	since := dayStart(y, m, 1).UnixMilli()
	want := [columns]bool{colProfile: true, colCost: true}
	type key struct {
		profile int64
		day     int32
	}
	sums := map[key]int64{}
	var days calendar
	err := scan(ctx, db, since, math.MaxInt64, &want, func(b *block) {
		for i, ms := range b.cols[colTime] {
			if c := b.cols[colCost][i]; c > 1 && ms >= since {
				sums[key{b.cols[colProfile][i], days.of(ms)}] += c - 1
			}
		}
	})
	if err != nil {
		return err
	}
	names, err := nameList(ctx, db)
	if err != nil {
		return err
	}
	for k, sum := range sums {
		l.spent.count(period{profileOf(names[k.profile]), k.day}, sum)
	}
	return nil
}

// nameList is every name by its number.
func nameList(ctx context.Context, db *store.DB) (map[int64]string, error) {
	list := map[int64]string{}
	err := db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id, name FROM names")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				id   int64
				name string
			)
			if err := rows.Scan(&id, &name); err != nil {
				return err
			}
			list[id] = name
		}
		return rows.Err()
	})
	return list, err
}
