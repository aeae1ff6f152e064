package upstream

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// learnedLife is how long a provider's refusal of a parameter is remembered.
const learnedLife = 24 * time.Hour

// maxLessons bounds the models of which anything is remembered.
const maxLessons = 1024

// learned remembers which parameters a model refused, so that each is refused
// once and not at every request.
type learned struct {
	mu     sync.Mutex // guards models
	models map[string]lesson
	now    func() time.Time
}

type lesson struct {
	drop           []string
	completionsMax bool
	schemaSubset   bool
	oneSampler     bool
	efforts        []string // the efforts it takes, where it named them
	until          time.Time
}

func newLearned(now func() time.Time) *learned {
	return &learned{models: map[string]lesson{}, now: now}
}

func lessonKey(to *proxy.Candidate) string { return to.Provider.ID + "/" + to.Model.ID }

// policy is the catalogue's policy of a model with what was learned of it.
func (l *learned) policy(to *proxy.Candidate) proxy.Policy {
	p := to.Model.Policy
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok := l.models[lessonKey(to)]; ok && l.now().Before(m.until) {
		p.Drop = append(slices.Clip(p.Drop), m.drop...)
		p.CompletionsMax = p.CompletionsMax || m.completionsMax
		p.SchemaSubset = p.SchemaSubset || m.schemaSubset
		p.OneSampler = p.OneSampler || m.oneSampler
		if m.efforts != nil {
			p.Efforts = m.efforts
		}
	}
	return p
}

// refused learns from a refusal. It says whether there was anything to learn,
// so that the request is worth another try.
func (l *learned) refused(to *proxy.Candidate, f *fault.Error) bool {
	if f.Status != 400 && f.Status != 422 || f.Wire == nil {
		return false
	}
	name, efforts := refusedParameter(f.Wire), effortsOffered(f.Wire)
	l.mu.Lock()
	defer l.mu.Unlock()
	key := lessonKey(to)
	m := l.models[key]
	if l.now().After(m.until) {
		m = lesson{}
	}
	switch {
	case efforts != nil && m.efforts == nil: // this effort, not every one
		m.efforts = efforts
	case oneSamplerOnly.MatchString(f.Wire.Message) && !m.oneSampler:
		m.oneSampler = true
	case strings.Contains(f.Wire.Message, "max_completion_tokens") && name == "max_tokens":
		if m.completionsMax {
			return false
		}
		m.completionsMax = true
	case name == "parametersJsonSchema" || name == "parameters_json_schema" || name == "responseJsonSchema" || name == "response_json_schema":
		if m.schemaSubset {
			return false
		}
		m.schemaSubset = true
	case name == "" || slices.Contains(m.drop, name) || !droppable[name]:
		return false
	default:
		m.drop = append(slices.Clip(m.drop), name)
	}
	m.until = l.now().Add(learnedLife)
	if len(l.models) >= maxLessons {
		clear(l.models) // names come from callers; what is in use is learned again
	}
	l.models[key] = m
	return true
}

// droppable are the parameters that a request can do without.
var droppable = map[string]bool{
	"temperature": true, "top_p": true, "topP": true, "top_k": true, "topK": true, "min_p": true, "seed": true,
	"frequency_penalty": true, "presence_penalty": true, "frequencyPenalty": true, "presencePenalty": true,
	"stop": true, "stop_sequences": true, "stopSequences": true, "logprobs": true, "top_logprobs": true,
	"parallel_tool_calls": true, "reasoning_effort": true, "reasoning": true, "thinking": true, "output_config": true, "thinkingConfig": true, "think": true,
	"max_output_tokens": true, "prompt_cache_key": true, "prompt_cache_retention": true, "service_tier": true, "store": true, "user": true, "metadata": true,
	"safety_identifier": true, "verbosity": true, "stream_options": true, "include": true, "reasoning.summary": true, "reasoning.effort": true,
}

// parameterNamed finds the parameter in the words vendors use for a refusal.
var parameterNamed = []*regexp.Regexp{
	regexp.MustCompile("(?i)(?:unsupported|unknown|unrecognized|unexpected|invalid)[ _](?:request )?(?:parameter|value|argument|field|name|keyword argument)(?:s|\\(s\\))?(?: supplied)?[^'\"`a-z]*['\"`]?([A-Za-z_.]+)"),
	regexp.MustCompile("(?i)['\"`]([A-Za-z_.]+)['\"`]?[: ]+(?:is |are |does |extra inputs are )?(?:not supported|unsupported|not permitted|not allowed|deprecated|does not support|cannot both)"),
	regexp.MustCompile("(?i)(?:argument|parameter|field)s? (?:is |are )?not (?:supported|permitted|allowed)[^:]*: ['\"`]?([A-Za-z_.]+)"),
	regexp.MustCompile(`(?i)^([a-z_.]+): extra inputs are not permitted`),
	regexp.MustCompile("(?i)[`'\"]?(temperature|top_p|top_k)[`'\"]? (?:and|is|may|cannot|can)"),
}

// refusedParameter is the top-level parameter that an error is about, "" when
// it names none.
func refusedParameter(w *fault.Wire) string {
	text := strings.ToLower(w.Message)
	if w.Param != "" && (strings.Contains(w.Code, "unsupported") || strings.Contains(w.Code, "unknown") || strings.Contains(text, "unsupported") || strings.Contains(text, "not support")) {
		return topLevel(w.Param)
	}
	for _, re := range parameterNamed {
		if m := re.FindStringSubmatch(w.Message); m != nil {
			return topLevel(m[1])
		}
	}
	return ""
}

// oneSamplerOnly is a refusal of two parameters together, not of either.
var oneSamplerOnly = regexp.MustCompile("(?i)temperature[`'\"]? and [`'\"]?top_p[`'\"]? cannot both")

// offered is where a refusal lists the values that would have been taken.
var offered = regexp.MustCompile("(?i)(?:supported values are|must be one of|expected one of)(.*)")

// effortsOffered is what a refusal of an effort says would have been taken,
// weakest first; nil when it is about something else or names none.
func effortsOffered(w *fault.Wire) []string {
	if !strings.Contains(w.Param, "effort") && !strings.Contains(w.Message, "effort") {
		return nil
	}
	m := offered.FindStringSubmatch(w.Message)
	if m == nil {
		return nil
	}
	words := strings.FieldsFunc(m[1], func(r rune) bool { return r < 'a' || r > 'z' })
	var list []string
	for _, effort := range [...]string{"none", "minimal", "low", "medium", "high", "xhigh", "max"} {
		if slices.Contains(words, effort) {
			list = append(list, effort)
		}
	}
	return list
}

// topLevel is the outermost field of a path, looking through Gemini's
// generation_config.
func topLevel(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "generation_config."), "generationConfig.")
	if path == "reasoning.summary" || path == "reasoning.effort" {
		return path // one can go without the other
	}
	head, _, _ := strings.Cut(path, ".")
	return head
}

// reasoningRefused recognises a provider that cannot read the reasoning it was
// sent: made by another account, model or vendor. Relays keep only the words.
func reasoningRefused(f *fault.Error) bool {
	if f.Status != 400 && f.Status != 0 || f.Wire == nil {
		return false
	}
	text := strings.ToLower(f.Wire.Code + " " + f.Wire.Message)
	if strings.Contains(text, "not supported") {
		return false // the parameter, not its value
	}
	for _, words := range []string{"invalid_encrypted_content", "encrypted content", "could not be verified", "invalid signature", "`signature`", "thinking.signature", "thought signature", "thought_signature", "could not be decrypted"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
