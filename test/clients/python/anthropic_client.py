import anthropic
from harness import BASE, DESCRIPTION, PARAMETERS, TOOL, Failure, run, weather


class Client:
    def __init__(self, key):
        self.api = anthropic.Anthropic(base_url=BASE, api_key=key, max_retries=0, timeout=15)

    def ask(self, stream=False, **body):
        body = {"max_tokens": 4096, **body}
        try:
            if not stream:
                return self.api.messages.create(**body)
            return self.collect(body)
        except anthropic.APIStatusError as e:
            raise Failure(e.status_code, str(e), e.response.headers.get("retry-after")) from e
        except anthropic.AnthropicError as e:
            raise Failure(None, str(e)) from e

    def collect(self, body):
        ended = False
        with self.api.messages.stream(**body) as s:
            for event in s:
                ended = ended or event.type == "message_stop"
            if not ended:
                raise Failure(None, "the stream has no end")
            return s.get_final_message()

    @staticmethod
    def said(m, kind, member):
        return "".join(getattr(b, member) for b in m.content if b.type == kind)

    def text(self, model, prompt, stream=False, system=None, think=False):
        more = {"thinking": {"type": "enabled", "budget_tokens": 2048}} if think else {}
        if system:
            more["system"] = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}]
        m = self.ask(stream, model=model, messages=[{"role": "user", "content": prompt}], **more)
        return {
            "text": self.said(m, "text", "text"), "reasoning": self.said(m, "thinking", "thinking"),
            "stop": {"end_turn": "stop", "max_tokens": "length"}.get(m.stop_reason),
            "input": m.usage.input_tokens, "output": m.usage.output_tokens,
        }

    def loop(self, model, prompt, stream):
        tools = [{"name": TOOL, "description": DESCRIPTION, "input_schema": PARAMETERS}]
        messages = [{"role": "user", "content": prompt}]
        first = self.ask(stream, model=model, messages=messages, tools=tools)
        if first.stop_reason != "tool_use":
            raise AssertionError("stop_reason " + str(first.stop_reason))
        messages.append({"role": "assistant", "content": first.content})
        uses = [b for b in first.content if b.type == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": b.id, "content": [{"type": "text", "text": weather(b.input)}]} for b in uses
        ]
        messages.append({"role": "user", "content": results})
        last = self.ask(stream, model=model, messages=messages, tools=tools)
        return [b.input for b in uses], self.said(last, "text", "text")

    def image(self, model, prompt, data):
        source = {"type": "base64", "media_type": "image/png", "data": data}
        content = [{"type": "image", "source": source}, {"type": "text", "text": prompt}]
        return self.said(self.ask(model=model, messages=[{"role": "user", "content": content}]), "text", "text")

    def object(self, model, prompt, schema):
        wanted = {"format": {"type": "json_schema", "schema": schema}}
        m = self.ask(model=model, messages=[{"role": "user", "content": prompt}], output_config=wanted)
        return self.said(m, "text", "text")

    def models(self):
        return [m.id for m in self.api.models.list()]

    def count(self, model, prompt):
        return self.api.messages.count_tokens(model=model, messages=[{"role": "user", "content": prompt}]).input_tokens


run({"anthropic": Client})
