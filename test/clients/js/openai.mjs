import OpenAI from "openai";
import { base, run, tool } from "./harness.mjs";

const failure = (e) => e instanceof OpenAI.APIError && { status: e.status, message: e.message, retryAfter: e.headers?.get("retry-after") };

const connect = (key) => new OpenAI({ baseURL: base + "/v1", apiKey: key, maxRetries: 0, timeout: 15_000 });

const shared = (api) => ({
  failure,
  async models() {
    const ids = [];
    for await (const m of api.models.list()) ids.push(m.id);
    return ids;
  },
  async embed(model, input) {
    const r = await api.embeddings.create({ model, input });
    return r.data.map((d) => d.embedding);
  },
});

const tools = [{ type: "function", function: { name: tool.name, description: tool.description, parameters: tool.schema } }];

function chat(key) {
  const api = connect(key);
  // ask gives the message, its finish reason and its usage, put together from
  // the chunks when streamed.
  async function ask(body, stream) {
    if (!stream) {
      const r = await api.chat.completions.create(body);
      return { message: r.choices[0].message, finish: r.choices[0].finish_reason, usage: r.usage };
    }
    const s = await api.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } });
    const message = { role: "assistant", content: "" };
    let finish, usage;
    for await (const chunk of s) {
      usage = chunk.usage ?? usage;
      const choice = chunk.choices[0];
      if (!choice) continue;
      finish = choice.finish_reason ?? finish;
      message.content += choice.delta.content ?? "";
      if (choice.delta.reasoning_content) message.reasoning_content = (message.reasoning_content ?? "") + choice.delta.reasoning_content;
      for (const t of choice.delta.tool_calls ?? []) {
        message.tool_calls ??= [];
        const call = (message.tool_calls[t.index] ??= { id: t.id, type: t.type, function: { name: t.function.name, arguments: "" } });
        call.function.arguments += t.function.arguments ?? "";
      }
    }
    return { message, finish, usage };
  }
  return {
    ...shared(api),
    thinks: true,
    async text(model, prompt, { system, stream, think }) {
      const messages = [{ role: "user", content: prompt }];
      if (system) messages.unshift({ role: "developer", content: system });
      const r = await ask({ model, messages, ...(think && { reasoning_effort: "low" }) }, stream);
      return {
        text: r.message.content, reasoning: r.message.reasoning_content, stop: r.finish,
        input: r.usage.prompt_tokens, output: r.usage.completion_tokens,
      };
    },
    async loop(model, prompt, { stream }) {
      const messages = [{ role: "user", content: prompt }];
      const first = await ask({ model, messages, tools }, stream);
      if (first.finish !== "tool_calls") throw new Error("finish_reason " + first.finish);
      messages.push(first.message);
      const calls = [];
      for (const c of first.message.tool_calls) {
        const args = JSON.parse(c.function.arguments);
        calls.push(args);
        messages.push({ role: "tool", tool_call_id: c.id, content: tool.run(args) });
      }
      const last = await ask({ model, messages, tools }, stream);
      return { calls, text: last.message.content };
    },
    async image(model, prompt, data) {
      const content = [{ type: "text", text: prompt }, { type: "image_url", image_url: { url: "data:image/png;base64," + data } }];
      return (await ask({ model, messages: [{ role: "user", content }] })).message.content;
    },
    async object(model, prompt, schema) {
      const response_format = { type: "json_schema", json_schema: { name: "person", strict: true, schema } };
      const r = await api.chat.completions.parse({ model, messages: [{ role: "user", content: prompt }], response_format });
      return JSON.parse(r.choices[0].message.content);
    },
  };
}

function responses(key) {
  const api = connect(key);
  async function ask(body, stream) {
    if (!stream) return api.responses.create(body);
    let done;
    let text = "";
    for await (const event of await api.responses.create({ ...body, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed" || event.type === "response.incomplete") done = event.response;
      if (event.type === "response.failed") throw new OpenAI.APIError(undefined, event.response.error, event.response.error.message, undefined);
    }
    if (!done) throw new OpenAI.APIError(undefined, undefined, "the stream has no end", undefined);
    const whole = done.output.filter((o) => o.type === "message").map((o) => o.content.map((c) => c.text).join("")).join("");
    if (whole !== text) throw new Error(`the deltas say ${JSON.stringify(text)}, the end ${JSON.stringify(whole)}`);
    done.output_text = text;
    return done;
  }
  return {
    ...shared(api),
    thinks: true,
    async text(model, input, { system, stream, think }) {
      const r = await ask({ model, input, store: false, ...(system && { instructions: system }), ...(think && { reasoning: { effort: "low", summary: "auto" } }) }, stream);
      return {
        text: r.output_text,
        reasoning: r.output.filter((o) => o.type === "reasoning").flatMap((o) => o.summary.map((s) => s.text)).join(""),
        stop: r.status === "completed" ? "stop" : r.incomplete_details.reason === "max_output_tokens" ? "length" : r.status,
        input: r.usage.input_tokens, output: r.usage.output_tokens,
      };
    },
    async loop(model, prompt, { stream }) {
      const input = [{ role: "user", content: prompt }];
      const body = { model, store: false, input, tools: [{ type: "function", name: tool.name, description: tool.description, parameters: tool.schema, strict: false }] };
      const first = await ask(body, stream);
      input.push(...first.output);
      const calls = [];
      for (const c of first.output.filter((o) => o.type === "function_call")) {
        const args = JSON.parse(c.arguments);
        calls.push(args);
        input.push({ type: "function_call_output", call_id: c.call_id, output: tool.run(args) });
      }
      return { calls, text: (await ask(body, stream)).output_text };
    },
    async image(model, prompt, data) {
      const content = [{ type: "input_text", text: prompt }, { type: "input_image", detail: "auto", image_url: "data:image/png;base64," + data }];
      return (await ask({ model, store: false, input: [{ role: "user", content }] })).output_text;
    },
    async object(model, input, schema) {
      const r = await api.responses.parse({ model, input, store: false, text: { format: { type: "json_schema", name: "person", strict: true, schema } } });
      return JSON.parse(r.output_text);
    },
    async count(model, input) {
      return (await api.responses.inputTokens.count({ model, input })).input_tokens;
    },
  };
}

await run({ "openai chat": chat, "openai responses": responses });
