import Anthropic from "@anthropic-ai/sdk";
import { base, run, tool } from "./harness.mjs";

const tools = [{ name: tool.name, description: tool.description, input_schema: tool.schema }];

function anthropic(key) {
  const api = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0, timeout: 15_000 });
  async function ask(body, stream) {
    body = { max_tokens: 4096, ...body };
    return stream ? api.messages.stream(body).finalMessage() : api.messages.create(body);
  }
  const text = (m) => m.content.filter((b) => b.type === "text").map((b) => b.text).join("");
  return {
    thinks: true,
    failure: (e) => e instanceof Anthropic.AnthropicError && { status: e.status, message: e.message, retryAfter: e.headers?.get("retry-after") },
    async text(model, prompt, { system, stream, think }) {
      const m = await ask({
        model, messages: [{ role: "user", content: prompt }],
        ...(system && { system }), ...(think && { thinking: { type: "enabled", budget_tokens: 2048 } }),
      }, stream);
      return {
        text: text(m), reasoning: m.content.filter((b) => b.type === "thinking").map((b) => b.thinking).join(""),
        stop: { end_turn: "stop", max_tokens: "length" }[m.stop_reason], input: m.usage.input_tokens, output: m.usage.output_tokens,
      };
    },
    async loop(model, prompt, { stream }) {
      const messages = [{ role: "user", content: prompt }];
      const first = await ask({ model, messages, tools }, stream);
      if (first.stop_reason !== "tool_use") throw new Error("stop_reason " + first.stop_reason);
      messages.push({ role: "assistant", content: first.content });
      const uses = first.content.filter((b) => b.type === "tool_use");
      messages.push({ role: "user", content: uses.map((b) => ({ type: "tool_result", tool_use_id: b.id, content: tool.run(b.input) })) });
      return { calls: uses.map((b) => b.input), text: text(await ask({ model, messages, tools }, stream)) };
    },
    async image(model, prompt, data) {
      const content = [{ type: "image", source: { type: "base64", media_type: "image/png", data } }, { type: "text", text: prompt }];
      return text(await ask({ model, messages: [{ role: "user", content }] }));
    },
    async object(model, prompt, schema) {
      const m = await ask({ model, messages: [{ role: "user", content: prompt }], output_config: { format: { type: "json_schema", schema } } });
      return JSON.parse(text(m));
    },
    async models() {
      const ids = [];
      for await (const m of api.models.list()) ids.push(m.id);
      return ids;
    },
    async count(model, prompt) {
      return (await api.messages.countTokens({ model, messages: [{ role: "user", content: prompt }] })).input_tokens;
    },
  };
}

await run({ anthropic });
