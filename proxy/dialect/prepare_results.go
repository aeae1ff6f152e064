package dialect

import (
	"strconv"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// pairResults makes every tool call have exactly one result, right after the
// turn that made the calls, and gives calls and results ids the target takes.
// Calls of the very last turn are still open and stay without results.
func (p *preparer) pairResults(turns []proxy.Turn) []proxy.Turn {
	results := map[string][]*proxy.Part{}
	for i := range turns {
		for j := range turns[i].Parts {
			if part := &turns[i].Parts[j]; part.Kind == proxy.PartToolResult {
				results[part.Result.CallID] = append(results[part.Result.CallID], part)
			}
		}
	}
	taken := map[*proxy.Part]bool{}
	used := map[string]bool{}
	out := make([]proxy.Turn, 0, len(turns)+2)
	for i, t := range turns {
		switch {
		case t.Role == proxy.RoleAssistant && hasCalls(t):
			t = p.recall(t)
			turn, res := p.pairTurn(t, i, i == len(turns)-1, results, taken, used)
			out = append(out, turn)
			if len(res.Parts) > 0 {
				out = append(out, res)
			}
		case t.Role == proxy.RoleTool:
			if rest := p.orphans(t, taken); len(rest.Parts) > 0 {
				out = append(out, rest)
			}
		default:
			if t.Role == proxy.RoleAssistant {
				t = p.recall(t)
			}
			out = append(out, t)
		}
	}
	return out
}

// pairTurn gives the calls of one turn their ids and collects their results.
func (p *preparer) pairTurn(t proxy.Turn, at int, last bool, results map[string][]*proxy.Part, taken map[*proxy.Part]bool, used map[string]bool) (proxy.Turn, proxy.Turn) {
	parts := make([]proxy.Part, len(t.Parts))
	copy(parts, t.Parts)
	t.Parts = parts
	res := proxy.Turn{Role: proxy.RoleTool}
	for j := range parts {
		if parts[j].Kind != proxy.PartToolCall {
			continue
		}
		call := *parts[j].Call
		queue := results[call.ID]
		id, known := p.originals[call.ID]
		switch {
		case known:
		case call.ID == "":
			id = p.targetID("call_" + shortHash(strconv.Itoa(at)+"/"+strconv.Itoa(j)+"/"+call.Name+"/"+string(call.Args)))
		default:
			id = p.targetID(call.ID)
		}
		call.ID = unique(id, used)
		parts[j].Call = &call
		answer := firstUntaken(queue, taken)
		switch {
		case answer != nil:
			r := *answer.Result
			r.CallID, r.Custom = call.ID, call.Custom
			if r.Name == "" {
				r.Name = call.Name
			}
			part := *answer
			part.Result = &r
			res.Parts = append(res.Parts, part)
		case !last:
			p.lose(approximated("a tool call without a result", "answered as interrupted"))
			res.Parts = append(res.Parts, proxy.Part{Kind: proxy.PartToolResult, Result: &proxy.Result{
				CallID: call.ID, Name: call.Name, IsError: true, Custom: call.Custom,
				Parts: []proxy.Part{textPart("Tool result missing (interrupted).")},
			}})
		}
	}
	return t, res
}

// firstUntaken gives the first result of a call id that no call has had yet:
// calls with one id between them get their results in order.
func firstUntaken(queue []*proxy.Part, taken map[*proxy.Part]bool) *proxy.Part {
	for _, part := range queue {
		if !taken[part] {
			taken[part] = true
			return part
		}
	}
	return nil
}

// orphans turns results that answer no call into the user's words.
func (p *preparer) orphans(t proxy.Turn, taken map[*proxy.Part]bool) proxy.Turn {
	out := proxy.Turn{Role: proxy.RoleUser}
	for j := range t.Parts {
		part := &t.Parts[j]
		if part.Kind != proxy.PartToolResult || taken[part] {
			continue
		}
		p.lose(approximated("a tool result without a call", "sent as text"))
		texts := []jsondoc.Lit{jsondoc.Quote("[result of an earlier tool call] ")}
		for _, in := range part.Result.Parts {
			if in.Kind == proxy.PartText {
				texts = append(texts, in.Text)
			}
		}
		if len(part.Result.Object) > 0 {
			texts = append(texts, jsondoc.QuoteBytes(part.Result.Object))
		}
		out.Parts = append(out.Parts, proxy.Part{Kind: proxy.PartText, Text: jsondoc.JoinLits("", texts...)})
		for _, in := range part.Result.Parts {
			if isMedia(in) {
				out.Parts = append(out.Parts, in)
			}
		}
	}
	return out
}

// targetID is a call id in the form of the target.
func (p *preparer) targetID(id string) string {
	for _, q := range p.t.Quirks {
		if q == "short_call_ids" { // Mistral: nine letters or digits
			if len(id) == 9 && alphanumeric(id) {
				return id
			}
			return shortHash(id)[:9]
		}
	}
	return SafeCallID(p.t.Dialect, id)
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; !nameByte(c, false) || c == '_' || c == '-' {
			return false
		}
	}
	return true
}
