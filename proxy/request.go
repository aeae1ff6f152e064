package proxy

import "github.com/korproxy/korproxy/internal/jsondoc"

// Dialect names a wire format.
type Dialect string

// The dialects. The first five can be a provider's; the others are further
// formats of the same families, served to callers.
const (
	OpenAIChat        Dialect = "openai-chat"
	OpenAIResponses   Dialect = "openai-responses"
	AnthropicMessages Dialect = "anthropic-messages"
	Gemini            Dialect = "gemini"
	Ollama            Dialect = "ollama"
	OpenAICompletions Dialect = "openai-completions" // legacy completions and fill-in-the-middle
)

// Op is what a caller wants done.
type Op string

// The operations. Every dialect has Generate; the others are there where the
// wire format has them.
const (
	OpGenerate Op = "generate" // a model's answer to a conversation
	OpComplete Op = "complete" // continue or fill in a text
	OpEmbed    Op = "embed"
	OpCount    Op = "count" // count input tokens, never a paid call
	OpCompact  Op = "compact"
)

// Request is a generation or completion request in no dialect. Text is kept as
// JSON string literals of the caller's body (jsondoc.Lit), so that translation
// copies it without decoding; a Request is valid as long as that body is.
type Request struct {
	Dialect Dialect // the caller's
	Op      Op
	Model   string // as the caller named it
	Stream  bool
	// IncludeUsage: the caller of a chat or completions stream asked for the
	// usage chunk. Upstream it is always asked for.
	IncludeUsage bool

	System []Part // leading instructions, text parts with their cache marks
	Turns  []Turn
	Fill   *Fill // set for OpComplete

	Tools       []Tool
	Choice      Choice
	SerialTools bool // at most one tool call per turn

	MaxTokens int64 // 0: not said
	Stop      []string
	N         int64 // answers wanted; 0 and 1 are one
	Format    Format
	Sampling  Sampling
	Reasoning Reasoning

	AutoCache *CacheMark // Anthropic's top-level cache_control
	CacheKey  string     // OpenAI's prompt_cache_key

	// PreviousID and Conversation name state kept by a provider.
	PreviousID   string
	Conversation bool

	// Extra holds the caller's top-level fields that have no place above, by
	// name, as raw JSON. A codec of the same vendor may use them; toward others
	// each becomes a Loss.
	Extra []Field

	// Losses met while decoding.
	Losses []Loss
}

// Field is one raw member of an object.
type Field struct {
	Name string
	Raw  []byte
}

// Role is the speaker of a turn.
type Role string

// The roles. Tool turns hold only PartToolResult parts: decoders split a
// caller's user turn that mixes results and text into a Tool and a User turn.
const (
	RoleSystem    Role = "system" // an instruction in mid-conversation
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Turn is one message.
type Turn struct {
	Role  Role
	Name  string // the speaker's name, OpenAI chat only
	Parts []Part
	Phase string // Responses: "commentary" or "final_answer"
}

// PartKind tells what a Part holds.
type PartKind uint8

// The kinds of parts.
const (
	PartText PartKind = iota + 1
	PartImage
	PartFile // PDF and other documents
	PartAudio
	PartVideo
	PartToolCall
	PartToolResult
	PartReasoning
	PartRefusal
	PartServer // a provider's own block (hosted tools, citations …), raw
)

var partNames = [...]string{"?", "text", "image", "file", "audio", "video", "tool call", "tool result", "reasoning", "refusal", "server block"}

// String is the kind in the words of a Loss.
func (k PartKind) String() string {
	if int(k) < len(partNames) {
		return partNames[k]
	}
	return partNames[0]
}

// Part is one piece of a turn or of an answer. Which fields are set follows
// from Kind.
type Part struct {
	Kind   PartKind
	Text   jsondoc.Lit // text, reasoning, refusal
	Media  *Media      // image, file, audio, video
	Call   *Call       // tool call
	Result *Result     // tool result
	// Opaque is continuation data bound to the provider that made it: on
	// reasoning, and for Gemini on any part.
	Opaque *Opaque
	Cache  *CacheMark
	// Raw is a PartServer's own JSON, and Origin the dialect that reads it.
	Raw    []byte
	Origin Dialect
}

// Media is an image, document, audio or video by value or by reference.
// Exactly one of Data, URL, FileID and Text is set.
type Media struct {
	MIME   string
	Data   []byte // base64 text, a span of the body
	URL    string
	FileID string
	Text   jsondoc.Lit // Anthropic plain-text documents
	Name   string
	Detail string // OpenAI image detail
	Title  string // Anthropic document title
}

// Call is a tool call of the model.
type Call struct {
	ID     string // as the model's provider gave it; may be empty
	ItemID string // Responses item id, valid only at its origin
	Name   string
	Args   []byte // JSON text, normally an object; may be empty or broken as the model wrote it
	Custom bool   // Args is free text for a Responses custom tool, not JSON
}

// Result answers a Call.
type Result struct {
	CallID  string
	Name    string // where the dialect carries it
	IsError bool
	Parts   []Part
	// Object is a Gemini response object that is not one of our own wrappers
	// around text; other dialects send it as JSON text.
	Object []byte
	Custom bool
}

// Opaque is data only its maker can read.
type Opaque struct {
	Kind string // "signature", "redacted", "encrypted", "thought_signature"
	Data string
	ID   string // id of the Responses item it belongs to
	// Origin is where it was made: dialect and, when the proxy itself took it
	// from an answer, provider and account.
	Origin Origin
}

// Origin is the maker of opaque data. Empty fields are unknown.
type Origin struct {
	Dialect  Dialect
	Provider string
	Account  string
	Model    string
}

// CacheMark is Anthropic's cache_control.
type CacheMark struct {
	TTL string // "", "5m", "1h"
}

// Tool is a function the model may call.
type Tool struct {
	Name        string
	Description jsondoc.Lit
	Schema      []byte // JSON schema of the arguments; nil when absent
	Strict      *bool
	Cache       *CacheMark
	// Custom tools take free text (Responses); Format is their raw grammar.
	Custom bool
	Format []byte
	// Hosted is a tool the provider runs itself: its type (web_search, …), and
	// Raw its declaration in Origin's dialect.
	Hosted string
	Raw    []byte
	Origin Dialect
	// Extra holds vendor fields of a function tool (defer_loading, …).
	Extra []Field
}

// ChoiceMode is how freely the model picks tools.
type ChoiceMode string

// The modes; the empty one means the caller did not say.
const (
	ChoiceAuto ChoiceMode = "auto"
	ChoiceNone ChoiceMode = "none"
	ChoiceAny  ChoiceMode = "any"  // some tool must be called
	ChoiceTool ChoiceMode = "tool" // the tool Names[0] must be called
)

// Choice is the tool choice. With Auto and Any, Names limits the tools.
type Choice struct {
	Mode  ChoiceMode
	Names []string
}

// Format is the form of the answer.
type Format struct {
	Kind   string // "", "text", "json", "schema"
	Name   string
	Schema []byte
	Strict *bool
	Desc   jsondoc.Lit
}

// Sampling holds the tuning numbers as the caller spelled them; nil is unset.
type Sampling struct {
	Temperature      []byte
	TopP             []byte
	TopK             []byte
	MinP             []byte
	FrequencyPenalty []byte
	PresencePenalty  []byte
	RepeatPenalty    []byte
	Seed             []byte
	Logprobs         bool
	TopLogprobs      []byte
}

// Reasoning is what the caller wants of thinking. Effort, Budget and Off
// exclude each other; all empty means the model's default.
type Reasoning struct {
	Effort   string // minimal, low, medium, high, xhigh, max
	Budget   int64  // tokens; -1 is the model's own choice ("adaptive", dynamic)
	Off      bool
	Summary  string // Responses: auto, concise, detailed
	Show     bool   // the caller wants to see the text
	Hide     bool   // the caller wants none of it
	Encrypt  bool   // Responses: include reasoning.encrypted_content
	Adaptive bool   // Anthropic's adaptive thinking was asked for
}

// Asked says whether the caller said anything about reasoning being on.
func (r Reasoning) Asked() bool { return r.Effort != "" || r.Budget != 0 || r.Adaptive }

// Fill is the text of a legacy completion.
type Fill struct {
	Prompt jsondoc.Lit
	Suffix jsondoc.Lit // nil: plain continuation
	Echo   bool
	Raw    bool // Ollama: the prompt is already a template
	System jsondoc.Lit
	Images []Media
}

// Loss is something a target dialect cannot express.
type Loss struct {
	Field string // the caller's name for it, such as "top_k"
	Note  string // what became of it, a few words
	// Approximated: a near equivalent was sent; otherwise it was dropped.
	Approximated bool
	// Meaning: it changes what the answer means, so strict mode refuses it.
	Meaning bool
}
