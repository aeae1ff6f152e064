import json

import openai
from harness import BASE, DESCRIPTION, PARAMETERS, TOOL, Failure, run, weather


class Client:
    def __init__(self, key):
        self.api = openai.OpenAI(base_url=BASE + "/v1", api_key=key, max_retries=0, timeout=15)

    def guarded(self, call):
        try:
            return call()
        except openai.APIStatusError as e:
            raise Failure(e.status_code, e.message, e.response.headers.get("retry-after")) from e
        except openai.OpenAIError as e:
            raise Failure(None, str(e)) from e

    def models(self):
        return [m.id for m in self.api.models.list()]

    def embed(self, model, texts):
        r = self.guarded(lambda: self.api.embeddings.create(model=model, input=texts))
        return [d.embedding for d in r.data]


class Chat(Client):
    def ask(self, stream=False, **body):
        if not stream:
            r = self.guarded(lambda: self.api.chat.completions.create(**body))
            return r.choices[0].message.model_dump(exclude_none=True), r.choices[0].finish_reason, r.usage
        return self.guarded(lambda: self.collect(body))

    def collect(self, body):
        message, finish, usage = {"role": "assistant", "content": ""}, None, None
        for chunk in self.api.chat.completions.create(stream=True, stream_options={"include_usage": True}, **body):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                finish = choice.finish_reason or finish
                message["content"] += choice.delta.content or ""
                if more := getattr(choice.delta, "reasoning_content", None):
                    message["reasoning_content"] = message.get("reasoning_content", "") + more
                for t in choice.delta.tool_calls or []:
                    calls = message.setdefault("tool_calls", [])
                    if t.index == len(calls):
                        calls.append({"id": t.id, "type": t.type, "function": {"name": t.function.name, "arguments": ""}})
                    calls[t.index]["function"]["arguments"] += t.function.arguments or ""
        return message, finish, usage

    def text(self, model, prompt, stream=False, system=None, think=False):
        messages = [{"role": "user", "content": prompt}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        more = {"reasoning_effort": "low"} if think else {}
        m, finish, usage = self.ask(stream, model=model, messages=messages, **more)
        return {
            "text": m["content"], "reasoning": m.get("reasoning_content"), "stop": finish,
            "input": usage.prompt_tokens, "output": usage.completion_tokens,
        }

    def loop(self, model, prompt, stream):
        tools = [{"type": "function", "function": {"name": TOOL, "description": DESCRIPTION, "parameters": PARAMETERS}}]
        messages = [{"role": "user", "content": prompt}]
        first, _, _ = self.ask(stream, model=model, messages=messages, tools=tools)
        messages.append(first)
        calls = []
        for c in first["tool_calls"]:
            calls.append(json.loads(c["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": c["id"], "content": weather(calls[-1])})
        return calls, self.ask(stream, model=model, messages=messages, tools=tools)[0]["content"]

    def image(self, model, prompt, data):
        content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}]
        return self.ask(model=model, messages=[{"role": "user", "content": content}])[0]["content"]

    def object(self, model, prompt, schema):
        wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
        return self.ask(model=model, messages=[{"role": "user", "content": prompt}], response_format=wanted)[0]["content"]


class Responses(Client):
    def ask(self, stream=False, **body):
        if not stream:
            return self.guarded(lambda: self.api.responses.create(store=False, **body))
        return self.guarded(lambda: self.collect(body))

    def collect(self, body):
        text = ""
        for event in self.api.responses.create(store=False, stream=True, **body):
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                if event.response.output_text != text:
                    raise AssertionError(f"the deltas say {text!r}, the end {event.response.output_text!r}")
                return event.response
            elif event.type == "response.failed":
                raise Failure(None, event.response.error.message)
        raise Failure(None, "the stream has no end")

    def text(self, model, prompt, stream=False, system=None, think=False):
        more = {"reasoning": {"effort": "low", "summary": "auto"}} if think else {}
        if system:
            more["instructions"] = system
        r = self.ask(stream, model=model, input=prompt, **more)
        stop = "stop" if r.status == "completed" else {"max_output_tokens": "length"}.get(r.incomplete_details.reason)
        return {
            "text": r.output_text, "stop": stop, "input": r.usage.input_tokens, "output": r.usage.output_tokens,
            "reasoning": "".join(s.text for o in r.output if o.type == "reasoning" for s in o.summary),
        }

    def loop(self, model, prompt, stream):
        tools = [{"type": "function", "name": TOOL, "description": DESCRIPTION, "parameters": PARAMETERS, "strict": False}]
        items = [{"role": "user", "content": prompt}]
        first = self.ask(stream, model=model, input=items, tools=tools)
        items += [o.model_dump(exclude_none=True) for o in first.output]
        calls = []
        for o in first.output:
            if o.type == "function_call":
                calls.append(json.loads(o.arguments))
                items.append({"type": "function_call_output", "call_id": o.call_id, "output": weather(calls[-1])})
        return calls, self.ask(stream, model=model, input=items, tools=tools).output_text

    def image(self, model, prompt, data):
        content = [
            {"type": "input_text", "text": prompt},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + data},
        ]
        return self.ask(model=model, input=[{"role": "user", "content": content}]).output_text

    def object(self, model, prompt, schema):
        wanted = {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": schema}}
        return self.ask(model=model, input=prompt, text=wanted).output_text

    def count(self, model, prompt):
        return self.api.responses.input_tokens.count(model=model, input=prompt).input_tokens


run({"openai chat": Chat, "openai responses": Responses})
