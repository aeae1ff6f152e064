package jsondoc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func BenchmarkParse(b *testing.B) {
	texts := []struct {
		name string
		src  []byte
	}{
		{"event", []byte(`{"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz01","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5-2026-01-01","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" the \"cache\"\n"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a1B2c3D4"}`)},
		{"100KB", agentBody(b, 100_000)},
		{"1MB", agentBody(b, 1_000_000)},
		{"chinese", jsondoc.Quote(strings.Repeat("从文件中读取缓存，并返回其条目。\n", 2000))},
	}
	for _, t := range texts {
		b.Run(t.name+"/jsondoc", func(b *testing.B) {
			b.SetBytes(int64(len(t.src)))
			b.ReportAllocs()
			var d jsondoc.Doc
			for b.Loop() {
				if err := d.Reset(t.src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(t.name+"/encoding-json", func(b *testing.B) {
			b.SetBytes(int64(len(t.src)))
			b.ReportAllocs()
			for b.Loop() {
				var v any
				if err := json.Unmarshal(t.src, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScanSplice(b *testing.B) {
	for _, size := range []int{100_000, 1_000_000} {
		src := agentBody(b, size)
		b.Run(fmt.Sprintf("%dKB/scan", size/1000), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := findModel(src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKB/splice", size/1000), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			start, end, _ := findModel(src)
			with := []byte(`"gpt-5-mini"`)
			for b.Loop() {
				jsondoc.Splice(src, jsondoc.Edit{Start: start, End: end, With: with})
			}
		})
	}
}

func findModel(src []byte) (start, end int, err error) {
	err = jsondoc.Scan(src, func(key []byte, s, e int) bool {
		if string(key) == "model" {
			start, end = s, e
		}
		return true
	})
	return start, end, err
}

func BenchmarkQuote(b *testing.B) {
	src := agentBody(b, 100_000)
	text := string(src)
	b.Run("bytes", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = jsondoc.AppendQuoted(buf[:0], src)
		}
	})
	b.Run("writer", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		b.ReportAllocs()
		var w jsondoc.Writer
		for b.Loop() {
			w.Reset(w.Buf[:0])
			w.String(text)
		}
	})
	lit := jsondoc.QuoteBytes(src)
	b.Run("unquote", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = jsondoc.AppendUnquoted(buf[:0], lit)
		}
	})
}
