"""The checks that every Python client goes through; ../js/harness.mjs says
what a client's methods give. A failed call raises Failure."""

import hashlib
import base64
import json
import os
import re
import threading

BASE = os.environ["KORPROXY_URL"]
KEY = os.environ["KORPROXY_KEY"]

UPSTREAMS = ["openai-chat", "openai-responses", "anthropic-messages", "gemini", "ollama"]
PATIENCE = 20  # seconds; the SDKs' own time-outs are shorter

TOOL = "get_weather"
DESCRIPTION = "Says what the weather is in a city"
PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Name of the city"},
        "days": {"type": "integer", "minimum": 1},
        "unit": {"type": "string", "enum": ["c", "f"]},
    },
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
THOUGHT = "First I think about it."


def weather(args):
    return {"Paris": "21 degrees in Paris", "Oslo": "9 degrees in Oslo"}.get(args["city"], "no weather")


def hello(upstream):
    return f'Hello from {upstream}: naïve café, 漢字 🙂 "quoted" \\ and\na new line.'


class Failure(Exception):
    def __init__(self, status, message, retry_after=None):
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def match(got, pattern):
    if not re.search(pattern, got):
        raise AssertionError(f"got {got!r}, want a match of {pattern!r}")


def refused(call):
    try:
        got = call()
    except Failure as f:
        return f
    raise AssertionError(f"no failure: {got!r}")


BOTH = [("", False), (", streamed", True)]


def checks(c, model, upstream):
    """Gives the name and the function of each check with one upstream."""

    def text(stream):
        a = c.text(model, "Hi", stream=stream)
        same((a["text"], a["stop"]), (hello(upstream), "stop"))
        same((a["input"], a["output"]), (21, 9))

    def system(stream):
        same(c.text(model, "[[system]]", stream=stream, system="Be brief. «Été»")["text"], "I was told: Be brief. «Été»")

    def length(stream):
        same(c.text(model, "[[long]]", stream=stream)["stop"], "length")

    def reasoning(stream):
        a = c.text(model, "[[think]]", stream=stream, think=True)
        same((a["text"], a["reasoning"]), (hello(upstream), THOUGHT))

    def loop(stream):
        calls, said = c.loop(model, "[[tool]]", stream)
        same(calls, [{"city": "Paris", "days": 2}])
        match(said, r"^Paris=.*21 degrees in Paris")

    def parallel(stream):
        calls, said = c.loop(model, "[[tools]]", stream)
        same(calls, [{"city": "Paris", "days": 2}, {"city": "Oslo", "days": 3}])
        match(said, r"^Paris=.*21 degrees in Paris.*; Oslo=.*9 degrees in Oslo")

    def limited(stream):
        f = refused(lambda: c.text(model, "[[error 429]]", stream=stream))
        same((f.status, f.retry_after), (429, "7"))
        match(f.message, "scripted failure 429")

    def rejected(stream):
        f = refused(lambda: c.text(model, "[[error 401]]", stream=stream))
        same(f.status, 401)
        match(f.message, "scripted failure 401")

    for name, check in [
        ("text", text), ("system", system), ("length", length), ("reasoning", reasoning), ("tool loop", loop),
        ("parallel tools", parallel), ("rate limit", limited), ("rejected account", rejected),
    ]:
        for suffix, stream in BOTH:
            yield name + suffix, lambda check=check, stream=stream: check(stream)

    def image():
        digest = hashlib.sha256(base64.b64decode(PIXEL)).hexdigest()[:12]
        same(c.image(model, "[[image]]", PIXEL), "Saw image/png " + digest)

    def absent():
        f = refused(lambda: c.text(f"p-{upstream}/absent", "Hi"))
        same(f.status, 404)
        match(f.message, "no model absent")

    def broken():
        match(refused(lambda: c.text(model, "[[break]]", stream=True)).message, "scripted failure in the stream")

    def cut():
        refused(lambda: c.text(model, "[[cut]]", stream=True))

    yield "image", image
    yield "structured output", lambda: same(json.loads(c.object(model, "[[json]]", SCHEMA)), {"name": "Ada", "age": 36})
    yield "model the provider lacks", absent
    yield "error in the stream", broken
    yield "cut stream", cut

    def embeddings():
        def call():
            return c.embed(f"p-{upstream}/embedder", ["one", "two"])

        if upstream in ("anthropic-messages", "openai-responses"):
            same(refused(call).status, 501)
        else:
            same(call(), [[1, 0.5, -0.25, 0.125], [2, 0.5, -0.25, 0.125]])

    def count():
        n = c.count(model, "How many tokens is this?")
        if upstream in ("anthropic-messages", "gemini"):
            same(n, 17)
        elif not 3 < n < 100:
            raise AssertionError(f"{n} tokens")

    if hasattr(c, "embed"):
        yield "embeddings", embeddings
    if hasattr(c, "count"):
        yield "token count", count


def general(c, connect):
    def sandbox(stream):
        a = c.text("sandbox", "Hi", stream=stream)
        match(a["text"], "sandbox")
        same(a["stop"], "stop")

    def sandbox_loop(stream):
        calls, said = c.loop("sandbox", "Hi", stream)
        same(calls, [{"city": "sandbox"}])
        match(said, "sandbox")

    for suffix, stream in BOTH:
        yield " > sandbox: text" + suffix, lambda stream=stream: sandbox(stream)
        yield " > sandbox: tool loop" + suffix, lambda stream=stream: sandbox_loop(stream)
    yield " > sandbox: structured output", lambda: same(json.loads(c.object("sandbox", "Hi", SCHEMA)), {"name": "sandbox", "age": 1})

    def unknown():
        f = refused(lambda: c.text("nowhere-9", "Hi"))
        same(f.status, 404)
        match(f.message, "nowhere-9")

    def models():
        ids = c.models()
        same([u for u in UPSTREAMS if f"p-{u}/tester" not in ids], [])

    yield ": unknown model", unknown
    yield ": wrong local key", lambda: same(refused(lambda: connect("kor-wrong").text("sandbox", "Hi")).status, 401)
    yield ": models", models


def check(name, run):
    done = []

    def guarded():
        try:
            run()
            done.append("")
        except BaseException as e:  # whatever it is, it is this check's
            done.append(f"{type(e).__name__}: {e}")

    t = threading.Thread(target=guarded, daemon=True)
    t.start()
    t.join(PATIENCE)
    why = done[0] if done else "no answer within the time"
    if why:
        print(f"FAIL {name}: " + why.replace("\n", " | ")[:900])
    else:
        print(f"ok   {name}")


def run(clients):
    for name, connect in clients.items():
        c = connect(KEY)
        for upstream in UPSTREAMS:
            for what, fn in checks(c, f"p-{upstream}/tester", upstream):
                check(f"py {name} > {upstream}: {what}", fn)
        for what, fn in general(c, connect):
            check(f"py {name}{what}", fn)
        print("end py", name)
