import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, jsonSchema, Output, stepCountIs, streamText, tool as define } from "ai";
import { base, run, tool } from "./harness.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

// failed is what a stream reports: an error that came in it, not by HTTP.
class Failed extends Error {}

// client drives the AI SDK with one of its providers; thinking holds the
// provider's own options that ask for reasoning.
const client = (open, thinking) => (key) => {
  const make = open(key);
  const common = (model) => ({ model: make(model), maxRetries: 0, abortSignal: AbortSignal.timeout(15_000) });
  async function ask(options, stream) {
    if (!stream) return generateText(options);
    let failure;
    const s = streamText({ ...options, onError: ({ error }) => (failure ??= error) });
    let text = "";
    let reasoning = "";
    for await (const part of s.fullStream) {
      if (part.type === "text-delta") text += part.text;
      if (part.type === "reasoning-delta") reasoning += part.text;
      if (part.type === "start-step") text = "";
    }
    if (failure) throw failure instanceof Error ? failure : new Failed(typeof failure === "string" ? failure : JSON.stringify(failure));
    const finishReason = await s.finishReason;
    if (finishReason === "other" || finishReason === "error") throw new Failed("the stream ends with " + finishReason);
    return { text, reasoningText: reasoning, finishReason, usage: await s.usage, steps: await s.steps };
  }
  return {
    thinks: !!thinking,
    failure: (e) =>
      APICallError.isInstance(e) ? { status: e.statusCode, message: e.message, retryAfter: e.responseHeaders?.["retry-after"] } : { message: e.message },
    async text(model, prompt, { system, stream, think }) {
      const r = await ask({ ...common(model), prompt, system, ...(think && { providerOptions: thinking }) }, stream);
      return { text: r.text, reasoning: r.reasoningText, stop: r.finishReason, input: r.usage.inputTokens, output: r.usage.outputTokens };
    },
    async loop(model, prompt, { stream }) {
      const calls = [];
      const execute = async (args) => {
        calls.push(args);
        return tool.run(args);
      };
      const tools = { [tool.name]: define({ description: tool.description, inputSchema: jsonSchema(tool.schema), execute }) };
      const r = await ask({ ...common(model), prompt, tools, stopWhen: stepCountIs(3) }, stream);
      return { calls, text: r.text };
    },
    async image(model, prompt, image) {
      const content = [{ type: "text", text: prompt }, { type: "image", image, mediaType: "image/png" }];
      return (await ask({ ...common(model), messages: [{ role: "user", content }] })).text;
    },
    async object(model, prompt, schema) {
      return (await generateText({ ...common(model), prompt, output: Output.object({ schema: jsonSchema(schema), name: "person" }) })).output;
    },
  };
};

await run({
  "ai openai responses": client((apiKey) => createOpenAI({ baseURL: base + "/v1", apiKey }), {
    openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true, store: false },
  }),
  "ai openai chat": client((apiKey) => createOpenAI({ baseURL: base + "/v1", apiKey }).chat),
  "ai openai-compatible": client(
    (apiKey) => createOpenAICompatible({ name: "korproxy", baseURL: base + "/v1", apiKey, includeUsage: true, supportsStructuredOutputs: true }),
    { korproxy: { reasoningEffort: "low" } },
  ),
  "ai anthropic": client((apiKey) => createAnthropic({ baseURL: base + "/v1", apiKey }), {
    anthropic: { thinking: { type: "enabled", budgetTokens: 2048 } },
  }),
  "ai google": client((apiKey) => createGoogleGenerativeAI({ baseURL: base + "/v1beta", apiKey }), {
    google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
  }),
});
