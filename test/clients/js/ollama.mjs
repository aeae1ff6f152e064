import { Ollama } from "ollama";
import { base, run, tool } from "./harness.mjs";

const tools = [{ type: "function", function: { name: tool.name, description: tool.description, parameters: tool.schema } }];

function ollama(key) {
  const api = new Ollama({ host: base, headers: { Authorization: "Bearer " + key } });
  async function ask(body, stream) {
    if (!stream) return api.chat({ ...body, stream: false });
    const message = { role: "assistant", content: "", thinking: "" };
    let last;
    for await (const line of await api.chat({ ...body, stream: true })) {
      message.content += line.message.content ?? "";
      message.thinking += line.message.thinking ?? "";
      if (line.message.tool_calls) message.tool_calls = [...(message.tool_calls ?? []), ...line.message.tool_calls];
      last = line;
    }
    if (!last.done) throw new Error("the stream has no end");
    return { ...last, message };
  }
  return {
    thinks: true,
    headers: false, // its errors do not show them
    failure: (e) => ({ status: e.status_code, message: e.message }),
    async text(model, prompt, { system, stream, think }) {
      const messages = [{ role: "user", content: prompt }];
      if (system) messages.unshift({ role: "system", content: system });
      const r = await ask({ model, messages, ...(think && { think: true }) }, stream);
      return { text: r.message.content, reasoning: r.message.thinking, stop: r.done_reason, input: r.prompt_eval_count, output: r.eval_count };
    },
    async loop(model, prompt, { stream }) {
      const messages = [{ role: "user", content: prompt }];
      const first = await ask({ model, messages, tools }, stream);
      messages.push(first.message);
      const calls = first.message.tool_calls.map((c) => c.function);
      for (const c of calls) messages.push({ role: "tool", tool_name: c.name, content: tool.run(c.arguments) });
      const last = await ask({ model, messages, tools }, stream);
      return { calls: calls.map((c) => c.arguments), text: last.message.content };
    },
    async image(model, prompt, data) {
      return (await ask({ model, messages: [{ role: "user", content: prompt, images: [data] }] })).message.content;
    },
    async object(model, prompt, format) {
      return JSON.parse((await ask({ model, format, messages: [{ role: "user", content: prompt }] })).message.content);
    },
    async models() {
      return (await api.list()).models.map((m) => m.name.replace(/:latest$/, ""));
    },
    async embed(model, input) {
      return (await api.embed({ model, input })).embeddings;
    },
  };
}

await run({ ollama });
