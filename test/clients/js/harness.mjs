// The checks that every client goes through, whatever its SDK. A client is an
// object whose methods call the SDK and give back plain values:
//
//   text(model, prompt, {system, think, stream}) -> {text, reasoning, stop, input, output}
//   loop(model, prompt, {tool, stream})          -> {calls: [{city, days}], text}
//   image(model, prompt, base64)                 -> text
//   object(model, prompt, schema)                -> the parsed answer
//   failure(error)                               -> {status, message, retryAfter}
//   models()                                     -> ids
//   embed(model, texts), count(model, prompt)    optional
//
// A line is printed for each check, and the name of the process at its end, by
// which test/clients/run knows that none is missing.

import assert from "node:assert/strict";

export const base = process.env.KORPROXY_URL;
export const key = process.env.KORPROXY_KEY;

const upstreams = ["openai-chat", "openai-responses", "anthropic-messages", "gemini", "ollama"];

// A check that takes longer hangs.
const patience = 20_000;

export const tool = {
  name: "get_weather",
  description: "Says what the weather is in a city",
  schema: {
    type: "object",
    properties: {
      city: { type: "string", description: "Name of the city" },
      days: { type: "integer", minimum: 1 },
      unit: { type: "string", enum: ["c", "f"] },
    },
    required: ["city"],
    additionalProperties: false,
  },
  run: ({ city }) => ({ Paris: "21 degrees in Paris", Oslo: "9 degrees in Oslo" })[city] ?? `no weather for ${city}`,
};

export const schema = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

// One red pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

const hello = (upstream) => `Hello from ${upstream}: naïve café, 漢字 🙂 "quoted" \\ and\na new line.`;

const checks = {
  async text(c, model, upstream) {
    const a = await c.text(model, "Hi", {});
    assert.equal(a.text, hello(upstream));
    assert.equal(a.stop, "stop");
    assert.deepEqual([a.input, a.output], [21, 9]);
  },
  async stream(c, model, upstream) {
    const a = await c.text(model, "Hi", { stream: true });
    assert.equal(a.text, hello(upstream));
    assert.equal(a.stop, "stop");
    assert.deepEqual([a.input, a.output], [21, 9]);
  },
  async system(c, model) {
    const a = await c.text(model, "[[system]]", { system: "Be brief. «Été»" });
    assert.equal(a.text, "I was told: Be brief. «Été»");
  },
  async length(c, model) {
    for (const stream of [false, true]) {
      const a = await c.text(model, "[[long]]", { stream });
      assert.equal(a.stop, "length");
    }
  },
  async reasoning(c, model, upstream) {
    for (const stream of [false, true]) {
      const a = await c.text(model, "[[think]]", { stream, think: true });
      assert.equal(a.text, hello(upstream));
      assert.equal(a.reasoning, "First I think about it.");
    }
  },
  async "tool loop"(c, model) {
    const a = await c.loop(model, "[[tool]]", { stream: false });
    assert.deepEqual(a.calls, [{ city: "Paris", days: 2 }]);
    assert.match(a.text, /^Paris=.*21 degrees in Paris/);
  },
  async "tool loop, streamed"(c, model) {
    const a = await c.loop(model, "[[tool]]", { stream: true });
    assert.deepEqual(a.calls, [{ city: "Paris", days: 2 }]);
    assert.match(a.text, /^Paris=.*21 degrees in Paris/);
  },
  async "parallel tools"(c, model) {
    for (const stream of [false, true]) {
      const a = await c.loop(model, "[[tools]]", { stream });
      assert.deepEqual(a.calls, [{ city: "Paris", days: 2 }, { city: "Oslo", days: 3 }]);
      assert.match(a.text, /^Paris=.*21 degrees in Paris.*; Oslo=.*9 degrees in Oslo/);
    }
  },
  async image(c, model) {
    assert.equal(await c.image(model, "[[image]]", pixel), "Saw image/png " + pixelHash);
  },
  async "structured output"(c, model) {
    assert.deepEqual(await c.object(model, "[[json]]", schema), { name: "Ada", age: 36 });
  },
  async "rate limit"(c, model) {
    const e = await refused(c, () => c.text(model, "[[error 429]]", {}));
    assert.equal(e.status, 429);
    assert.match(e.message, /scripted failure 429/);
    if (c.headers !== false) assert.equal(e.retryAfter, "7");
  },
  async "rate limit, streamed"(c, model) {
    const e = await refused(c, () => c.text(model, "[[error 429]]", { stream: true }));
    assert.equal(e.status, 429);
    assert.match(e.message, /scripted failure 429/);
  },
  async "rejected account"(c, model) {
    const e = await refused(c, () => c.text(model, "[[error 401]]", {}));
    assert.equal(e.status, 401);
    assert.match(e.message, /scripted failure 401/);
  },
  async "model the provider lacks"(c, model, upstream) {
    const e = await refused(c, () => c.text(`p-${upstream}/absent`, "Hi", {}));
    assert.equal(e.status, 404);
    assert.match(e.message, /no model absent/);
  },
  async "error in the stream"(c, model) {
    const e = await refused(c, () => c.text(model, "[[break]]", { stream: true }));
    assert.match(e.message, /scripted failure in the stream/);
  },
  async "cut stream"(c, model) {
    await refused(c, () => c.text(model, "[[cut]]", { stream: true }));
  },
  async embeddings(c, model, upstream) {
    const call = () => c.embed(`p-${upstream}/embedder`, ["one", "two"]);
    if (upstream === "anthropic-messages" || upstream === "openai-responses") {
      const e = await refused(c, call);
      assert.equal(e.status, 501);
      assert.match(e.message, /has no embeddings/);
      return;
    }
    assert.deepEqual(await call(), [[1, 0.5, -0.25, 0.125], [2, 0.5, -0.25, 0.125]]);
  },
  async "token count"(c, model, upstream) {
    const n = await c.count(model, "How many tokens is this?");
    if (upstream === "anthropic-messages" || upstream === "gemini") assert.equal(n, 17);
    else assert.ok(n > 3 && n < 100, `${n} tokens`);
  },
};

const sandboxChecks = {
  async text(c) {
    const a = await c.text("sandbox", "Hi", {});
    assert.match(a.text, /sandbox/);
    assert.equal(a.stop, "stop");
    assert.ok(a.input > 0 && a.output > 0);
  },
  async stream(c) {
    const a = await c.text("sandbox", "Hi", { stream: true });
    assert.match(a.text, /sandbox/);
    assert.equal(a.stop, "stop");
  },
  async "tool loop"(c) {
    for (const stream of [false, true]) {
      const a = await c.loop("sandbox", "Hi", { stream });
      assert.deepEqual(a.calls, [{ city: "sandbox" }]);
      assert.match(a.text, /sandbox/);
    }
  },
  async "structured output"(c) {
    assert.deepEqual(await c.object("sandbox", "Hi", schema), { name: "sandbox", age: 1 });
  },
};

const generalChecks = {
  async "unknown model"(c) {
    const e = await refused(c, () => c.text("nowhere-9", "Hi", {}));
    assert.equal(e.status, 404);
    assert.match(e.message, /nowhere-9/);
  },
  async "wrong local key"(c) {
    const e = await refused(c, () => c.withKey("kor-wrong").text("sandbox", "Hi", {}));
    assert.equal(e.status, 401);
  },
  async models(c) {
    const ids = await c.models();
    for (const u of upstreams) assert.ok(ids.includes(`p-${u}/tester`), `p-${u}/tester is not among ${ids}`);
  },
};

const pixelHash = await crypto.subtle
  .digest("SHA-256", Buffer.from(pixel, "base64"))
  .then((sum) => Buffer.from(sum).toString("hex").slice(0, 12));

// refused gives the failure of a call that must fail.
async function refused(c, call) {
  let got;
  try {
    got = await call();
  } catch (e) {
    const f = c.failure(e);
    if (!f) throw e;
    return f;
  }
  assert.fail("no failure: " + JSON.stringify(got));
}

async function check(name, run) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer within the time")), patience);
  });
  try {
    await Promise.race([run(), late]);
    console.log("ok   " + name);
  } catch (e) {
    console.log("FAIL " + name + ": " + String(e?.stack ?? e).replaceAll("\n", " | ").slice(0, 900));
  } finally {
    clearTimeout(timer);
  }
}

// run takes clients through all checks against all upstreams.
export async function run(make) {
  for (const [name, client] of Object.entries(make)) {
    const c = client(key);
    c.withKey = client;
    for (const upstream of upstreams) {
      for (const [what, fn] of Object.entries(checks)) {
        if (absent(c, what)) continue;
        await check(`js ${name} > ${upstream}: ${what}`, () => fn(c, `p-${upstream}/tester`, upstream));
      }
    }
    for (const [what, fn] of Object.entries(sandboxChecks)) await check(`js ${name} > sandbox: ${what}`, () => fn(c));
    for (const [what, fn] of Object.entries(generalChecks)) {
      if (absent(c, what)) continue;
      await check(`js ${name}: ${what}`, () => fn(c));
    }
    console.log("end js " + name);
  }
}

// absent holds for what the SDK has no call for.
const absent = (c, what) =>
  (what === "reasoning" && !c.thinks) || (what === "embeddings" && !c.embed) || (what === "token count" && !c.count) || (what === "models" && !c.models);
