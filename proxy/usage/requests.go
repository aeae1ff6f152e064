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
	rows, err := tx.QueryContext(ctx, "SELECT seq, id, time, tool, code, data FROM requests WHERE "+strings.Join(where, " AND ")+" ORDER BY time DESC, seq DESC LIMIT ?", args...)
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
		r    Request
		got  row
		data sql.RawBytes
	)
	if err := rows.Scan(&r.Seq, &r.ID, &got.time, &got.tool, &got.code, &data); err != nil {
		return r, err
	}
	if err := got.unpack(data); err != nil {
		return r, err
	}
	n := &got.n
	name := func(k number) string { return list[n[k]] }
	r.Time, r.Latency, r.FirstByte = time.UnixMilli(got.time), ms(n[numLatency]), ms(n[numFirst])
	r.Tool, r.Code, r.Outcome = list[got.tool], list[got.code], name(numOutcome)
	r.Project, r.Profile, r.Class, r.Rule = name(numProject), name(numProfile), name(numClass), name(numRule)
	r.Dialect, r.Op, r.Asked, r.Provider = name(numDialect), name(numOp), name(numAsked), name(numProvider)
	r.Account = strings.TrimPrefix(name(numAccount), r.Provider+"/")
	r.Model = strings.TrimPrefix(name(numModel), r.Provider+"/")
	r.Stream, r.Known, r.Rough = n[numStream] != 0, n[numKnown] != 0, n[numRough] != 0
	r.Input, r.Output, r.Reasoning, r.CacheRead, r.CacheWrite, r.Attempts = n[numInput], n[numOutput], n[numReasoning], n[numCacheRead], n[numCacheWrite], n[numAttempts]
	if cost := n[numCost]; cost > 0 {
		dollars := float64(cost-1) / nano
		r.Cost = &dollars
	}
	return r, nil
}
