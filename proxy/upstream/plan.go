package upstream

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// onPlan says whether an account pays by a ChatGPT plan. OpenAI serves those by
// the Responses API alone, streamed, and takes fewer parameters
// (developers.openai.com/siwc, token-sharing-open-source/models-and-inference).
func onPlan(a *proxy.Account) bool { return a.Connect == proxy.WayChatGPT }

// notOnPlan are the parameters that a plan's requests are refused for.
var notOnPlan = map[string]bool{
	"background": true, "conversation": true, "max_output_tokens": true, "max_tool_calls": true, "metadata": true, "moderation": true, "multi_agent": true,
	"previous_response_id": true, "prompt": true, "prompt_cache_retention": true, "safety_identifier": true, "temperature": true, "top_logprobs": true,
	"top_p": true, "truncation": true, "user": true,
}

// planBody makes a Responses request fit for a plan: what is not taken is left
// out and reported, and nothing is stored.
func planBody(body []byte) ([]byte, []proxy.Loss) {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return body, nil
	}
	var losses []proxy.Loss
	var w jsondoc.Writer
	w.BeginObject()
	for key, v := range doc.Root().Fields() {
		switch name := string(key); {
		case notOnPlan[name]:
			losses = append(losses, proxy.Loss{Field: name, Note: "not taken with a ChatGPT plan"})
		case name != "store" && name != "stream":
			w.KeyBytes(key)
			w.Raw(v.Raw())
		}
	}
	w.BoolField("store", false)
	w.BoolField("stream", true)
	w.EndObject()
	return w.Bytes(), losses
}
