package usage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// Query chooses requests. What is empty chooses all.
type Query struct {
	ID, Code, Tool string
	Since, Until   time.Time
	Limit          int   // at most; 0 is 100
	Before         int64 // Seq of the last request of the page before
}

// maxPage is how many requests one page may have.
const maxPage = 1000

// Request is one request as the ledger has it.
type Request struct {
	Seq                                                       int64
	ID                                                        string
	Time                                                      time.Time
	Tool, Project, Profile, Class, Rule, Dialect, Op          string
	Stream                                                    bool
	Provider, Account, Model, Asked                           string
	Known                                                     bool // the provider counted the tokens
	Input, Output, Reasoning, CacheRead, CacheWrite, Attempts int64
	Cost                                                      *float64 // dollars; nil is not known
	Rough                                                     bool     // the cost rests on a price of something else
	Latency, FirstByte                                        time.Duration
	Outcome, Code                                             string
}

// Requests lists requests, the newest first.
func (l *Ledger) Requests(ctx context.Context, q Query) ([]Request, error) {
	l.settle(ctx)
	db, err := l.reader()
	if err != nil {
		return nil, err
	}
	list, err := nameList(ctx, db)
	if err != nil {
		return nil, l.readFailed(ctx, err)
	}
	var out []Request
	err = db.Read(ctx, func(tx *sql.Tx) error {
		var err error
		out, err = find(ctx, tx, q, list)
		return err
	})
	return out, l.readFailed(ctx, err)
}

func find(ctx context.Context, tx *sql.Tx, q Query, list map[int64]string) ([]Request, error) {
	where, args := []string{"1"}, []any{}
	and := func(text string, values ...any) {
		where = append(where, text)
		args = append(args, values...)
	}
	if q.ID != "" {
		and("id = ?", q.ID)
	}
	for _, c := range [...]struct{ column, name string }{{"code", q.Code}, {"tool", q.Tool}} {
		if c.name == "" {
			continue
		}
		ids := idsOf(list, c.name)
		if len(ids) == 0 {
			return nil, nil
		}
		holes := make([]any, len(ids))
		for i, id := range ids {
			holes[i] = id
		}
		text := c.column + " IN (?" + strings.Repeat(", ?", len(ids)-1) + ")"
		if c.column == "code" {
			text += " AND code <> 0" // what the index holds
		}
		and(text, holes...)
	}
	if !q.Since.IsZero() {
		and("time >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		and("time < ?", q.Until.UnixMilli())
	}
	if q.Before > 0 {
		var at int64
		switch err := tx.QueryRowContext(ctx, "SELECT time FROM requests WHERE seq = ?", q.Before).Scan(&at); {
		case errors.Is(err, sql.ErrNoRows):
			return nil, fault.New(fault.InvalidField, "before: there is no request %d any more", q.Before)
		case err != nil:
			return nil, err
		}
		and("(time, seq) < (?, ?)", at, q.Before)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	args = append(args, min(limit, maxPage))
	rows, err := tx.QueryContext(ctx, `SELECT seq, id, time, tool, project, profile, class, rule, dialect, op, stream, provider, account, model, asked, known,
		input, output, reasoning, cache_read, cache_write, cost, rough, latency, first_byte, outcome, code, attempts
		FROM requests WHERE `+strings.Join(where, " AND ")+" ORDER BY time DESC, seq DESC LIMIT ?", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Request
	for rows.Next() {
		r, err := scanRequest(rows, list)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func scanRequest(rows *sql.Rows, list map[int64]string) (Request, error) {
	var (
		r                    Request
		at, latency, first   int64
		tool, project        int64
		profile, class       int64
		rule, dialect, op    int64
		provider, account    int64
		model, asked         int64
		outcome, code        int64
		amount               sql.NullInt64
		known, rough, stream int64
	)
	err := rows.Scan(&r.Seq, &r.ID, &at, &tool, &project, &profile, &class, &rule, &dialect, &op, &stream, &provider, &account, &model, &asked, &known,
		&r.Input, &r.Output, &r.Reasoning, &r.CacheRead, &r.CacheWrite, &amount, &rough, &latency, &first, &outcome, &code, &r.Attempts)
	if err != nil {
		return r, err
	}
	r.Time, r.Latency, r.FirstByte = time.UnixMilli(at), ms(latency), ms(first)
	r.Tool, r.Project, r.Profile, r.Class, r.Rule = list[tool], list[project], list[profile], list[class], list[rule]
	r.Dialect, r.Op, r.Asked, r.Outcome, r.Code = list[dialect], list[op], list[asked], list[outcome], list[code]
	r.Provider = list[provider]
	r.Account = strings.TrimPrefix(list[account], r.Provider+"/")
	r.Model = strings.TrimPrefix(list[model], r.Provider+"/")
	r.Stream, r.Known, r.Rough = stream != 0, known != 0, rough != 0
	if amount.Valid {
		dollars := float64(amount.Int64) / nano
		r.Cost = &dollars
	}
	return r, nil
}
