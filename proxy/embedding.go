package proxy

import "github.com/korproxy/korproxy/internal/jsondoc"

// Embedding is a request for vectors in no dialect.
type Embedding struct {
	Dialect    Dialect // the caller's
	Model      string
	Inputs     []jsondoc.Lit
	Single     bool     // the caller sent one text, not a list
	Tokens     [][]byte // inputs as token arrays instead of texts, raw JSON
	Dimensions int64    // 0: the model's own
	Base64     bool     // OpenAI's encoding_format base64
	Task       string   // Gemini's taskType
	Title      string   // Gemini's title of a document
	Truncate   *bool    // Ollama
	Old        bool     // Ollama's /api/embeddings, which answers one bare vector
	Extra      []Field
}

// Vectors answers an Embedding, in the order of its inputs. Each vector is a
// JSON array of numbers, or base64 of little-endian float32.
type Vectors struct {
	Model  string
	Items  []Vector
	Tokens int64 // input tokens, 0 unknown
}

// Vector is one embedding in one of its two spellings.
type Vector struct {
	JSON   []byte
	Base64 []byte
}
