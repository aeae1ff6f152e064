import { ApiError, GoogleGenAI } from "@google/genai";
import { base, run, tool } from "./harness.mjs";

const tools = [{ functionDeclarations: [{ name: tool.name, description: tool.description, parametersJsonSchema: tool.schema }] }];

function genai(key) {
  const api = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: base, timeout: 15_000 } });
  // ask gives the parts of the answer, joined from the chunks when streamed.
  async function ask(body, stream) {
    const parts = [];
    let finish, usage;
    const take = (r) => {
      parts.push(...(r.candidates?.[0]?.content?.parts ?? []));
      finish = r.candidates?.[0]?.finishReason ?? finish;
      usage = r.usageMetadata ?? usage;
    };
    if (stream) for await (const r of await api.models.generateContentStream(body)) take(r);
    else take(await api.models.generateContent(body));
    const said = (thought) => parts.filter((p) => p.text && !!p.thought === thought).map((p) => p.text).join("");
    return { parts, finish, usage, text: said(false), reasoning: said(true) };
  }
  return {
    thinks: true,
    headers: false, // its errors do not show them
    // A stream that fails has no status of its own.
    failure: (e) => (e instanceof ApiError ? { status: e.status, message: e.message } : { message: String(e) }),
    async text(model, contents, { system, stream, think }) {
      const config = { ...(system && { systemInstruction: system }), ...(think && { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } }) };
      const r = await ask({ model, contents, config }, stream);
      if (!r.finish) throw new Error("the stream has no end");
      return {
        text: r.text, reasoning: r.reasoning, stop: { STOP: "stop", MAX_TOKENS: "length" }[r.finish],
        input: r.usage.promptTokenCount, output: r.usage.candidatesTokenCount,
      };
    },
    async loop(model, prompt, { stream }) {
      const contents = [{ role: "user", parts: [{ text: prompt }] }];
      const first = await ask({ model, contents, config: { tools } }, stream);
      contents.push({ role: "model", parts: first.parts });
      const calls = first.parts.filter((p) => p.functionCall).map((p) => p.functionCall);
      contents.push({ role: "user", parts: calls.map((c) => ({ functionResponse: { ...(c.id && { id: c.id }), name: c.name, response: { output: tool.run(c.args) } } })) });
      const last = await ask({ model, contents, config: { tools } }, stream);
      return { calls: calls.map((c) => c.args), text: last.text };
    },
    async image(model, prompt, data) {
      return (await ask({ model, contents: [{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data } }, { text: prompt }] }] })).text;
    },
    async object(model, contents, schema) {
      const { additionalProperties, ...responseSchema } = schema;
      const r = await ask({ model, contents, config: { responseMimeType: "application/json", responseSchema } });
      return JSON.parse(r.text);
    },
    async models() {
      const ids = [];
      for await (const m of await api.models.list()) ids.push(m.name.replace(/^models\//, ""));
      return ids;
    },
    async embed(model, contents) {
      return (await api.models.embedContent({ model, contents })).embeddings.map((e) => e.values);
    },
    async count(model, contents) {
      return (await api.models.countTokens({ model, contents })).totalTokens;
    },
  };
}

await run({ genai });
