package main

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// What the message of a test may come to, in tokens. OpenAI takes no smaller
// limit of the output than 16.
const (
	pingInput  = 20
	pingOutput = 16
)

// pingTails are the bodies of a test's message behind the model's name, in the
// dialects that providers speak first. LIMIT is the name of chat's field.
var pingTails = map[proxy.Dialect]struct{ message, count string }{
	proxy.OpenAIChat: {
		message: `,"messages":[{"role":"user","content":"ping"}],"LIMIT":16,"stream":true,"stream_options":{"include_usage":true}}`,
	},
	proxy.OpenAIResponses: {
		message: `,"input":"ping","max_output_tokens":16,"store":false,"stream":true}`,
		count:   `,"input":"ping"}`,
	},
	proxy.AnthropicMessages: {
		message: `,"max_tokens":16,"messages":[{"role":"user","content":"ping"}],"stream":true}`,
		count:   `,"messages":[{"role":"user","content":"ping"}]}`,
	},
	proxy.Ollama: {
		message: `,"messages":[{"role":"user","content":"ping"}],"options":{"num_predict":16},"stream":true}`,
	},
}

// What Gemini and a ChatGPT plan want instead: the one has the model in the
// path, the other takes neither a limit nor a bare text.
const (
	geminiPing  = `{"contents":[{"role":"user","parts":[{"text":"ping"}]}],"generationConfig":{"maxOutputTokens":16}}`
	geminiCount = `{"contents":[{"role":"user","parts":[{"text":"ping"}]}]}`
	planPing    = `,"instructions":"Answer with one word.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"ping"}]}],"store":false,"stream":true}`
)

// ping writes the body of a test's request in the dialect the provider speaks
// first, so that nothing of it is lost on the way.
func ping(in *proxy.Inbound, p *proxy.Provider, a proxy.Account, m proxy.Model) {
	in.Dialect = proxy.OpenAIChat
	if len(p.Surfaces) > 0 {
		in.Dialect = p.Surfaces[0].Dialect
	}
	tail := pingTails[in.Dialect].message
	switch {
	case in.Dialect == proxy.Gemini:
		in.Body = []byte(geminiPing)
		if in.Op == proxy.OpCount {
			in.Body = []byte(geminiCount)
		}
		return
	case in.Op == proxy.OpCount:
		tail = pingTails[in.Dialect].count
	case a.Connect == proxy.WayChatGPT:
		tail = planPing
	}
	if in.Dialect == proxy.AnthropicMessages {
		in.Header.Set("Anthropic-Version", "2023-06-01")
	}
	limit := "max_tokens"
	if m.Policy.CompletionsMax {
		limit = "max_completion_tokens"
	}
	const head = `{"model":`
	name := jsondoc.Quote(in.Model)
	in.Body = []byte(head + string(name) + strings.Replace(tail, "LIMIT", limit, 1))
	in.ModelAt = [2]int{len(head), len(head) + len(name)}
}

// countOf reads the answer to a token count.
func countOf(reply *proxy.Reply, in *proxy.Inbound) (int64, error) {
	if reply.Whole == nil {
		return reply.Tokens, nil
	}
	doc, err := jsondoc.Parse(reply.Whole)
	if err != nil {
		return 0, fault.New(fault.UpstreamBadJSON, "the token count does not parse: %w", err)
	}
	counter, ok := dialect.For(in.Dialect).(dialect.Counter)
	if !ok {
		return 0, fault.New(fault.NotOffered, "this dialect counts no tokens")
	}
	return counter.DecodeCount(doc)
}

// readToEnd reads an answer, in whatever form it comes, and makes sure that it
// came to its proper end.
func readToEnd(reply *proxy.Reply, in *proxy.Inbound) (proxy.Usage, error) {
	switch {
	case reply.Answer != nil:
		return reply.Answer.Usage, nil
	case reply.Events != nil:
		return readEvents(reply.Events)
	case reply.Body != nil:
		return readWatched(reply)
	case reply.Whole != nil:
		doc, err := jsondoc.Parse(reply.Whole)
		if err != nil {
			return proxy.Usage{}, fault.New(fault.UpstreamBadJSON, "the answer does not parse: %w", err)
		}
		answer, err := dialect.For(in.Dialect).DecodeAnswer(doc)
		if err != nil {
			return proxy.Usage{}, err
		}
		return answer.Usage, nil
	}
	return proxy.Usage{}, fault.New(fault.UpstreamBadJSON, "the provider sent no answer")
}

func readEvents(events proxy.Source) (proxy.Usage, error) {
	var failed *fault.Error
	for {
		err := events.Next(func(e *proxy.Event) error {
			if e.Kind == proxy.EventError {
				failed = e.Err
			}
			return nil
		})
		switch {
		case failed != nil:
			return events.Usage(), failed
		case errors.Is(err, io.EOF):
			return events.Usage(), nil
		case err != nil:
			return events.Usage(), err
		}
	}
}

func readWatched(reply *proxy.Reply) (proxy.Usage, error) {
	buf := make([]byte, 4<<10)
	for {
		n, err := reply.Body.Read(buf)
		reply.Watch.Feed(buf[:n])
		if err == nil {
			continue
		}
		usage := reply.Watch.Usage()
		if f, sent := reply.Watch.End(); f != nil {
			if !errors.Is(err, io.EOF) && !sent {
				return usage, err
			}
			return usage, f
		}
		return usage, nil
	}
}

// notChat are words in the names of models that do not answer messages.
var notChat = []string{
	"embed", "whisper", "tts", "audio", "realtime", "image", "dall-e", "sora", "veo", "imagen", "moderation", "transcribe", "rerank", "guard", "ocr",
	"speech", "computer-use", "lyria", "aqa", "instruct", "davinci", "babbage", "deep-research", "-live", "robotics", "diffusion", "voxtral", "video", "search",
}

// smallWords are words in the names of models that cost little, for where no
// price is known.
var smallWords = []string{"nano", "luna", "lite", "mini", "haiku", "flash", "small", "tiny", "fast", "8b", "7b"}

// cheapest is the model of a list that a test costs least with, "" when there is
// none that would answer.
func (t *trial) cheapest(models []proxy.Model) string {
	best, least := "", 0.0
	small, smallRank, some := "", len(smallWords), ""
	for _, m := range models {
		name := strings.ToLower(m.ID)
		if m.Embed || slices.ContainsFunc(notChat, func(w string) bool { return strings.Contains(name, w) }) {
			continue
		}
		some = cmp.Or(some, m.ID)
		m.Provider = t.provider.ID
		if p := t.g.facts.Fill(m).Price; p.Known && p.Input+p.Output > 0 {
			if cost := pingInput*p.Input + pingOutput*p.Output; best == "" || cost < least {
				best, least = m.ID, cost
			}
		}
		if rank := slices.IndexFunc(smallWords, func(w string) bool { return strings.Contains(name, w) }); rank >= 0 && rank < smallRank {
			small, smallRank = m.ID, rank
		}
	}
	return cmp.Or(best, small, some)
}

// usd shows a small amount of money.
func usd(v float64) string {
	if v < 0.0001 {
		return "less than $0.0001"
	}
	return "$" + strconv.FormatFloat(v, 'f', 4, 64)
}
