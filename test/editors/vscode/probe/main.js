// An extension that uses the editor's language models as any other does, and
// writes down what it gets from KorProxy's.
const fs = require('node:fs');
const vscode = require('vscode');

const { LanguageModelChatMessage: Message, LanguageModelDataPart: Data, LanguageModelTextPart: Text } = vscode;
const { LanguageModelToolCallPart: ToolCall, LanguageModelToolResultPart: ToolResult } = vscode;

const tool = { name: 'weather', description: 'Tells the weather.', inputSchema: { type: 'object', properties: { city: { type: 'string' } } } };

// A picture of one pixel; the editor refuses what is none.
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

let step = 0;

async function ask(model, messages, options, token) {
  step++;
  const parts = [];
  const answer = await model.sendRequest(messages, options, token ?? new vscode.CancellationTokenSource().token);
  for await (const part of answer.stream) {
    parts.push(part);
    if (token) {
      fs.writeFileSync(process.env.PROBE_OUT + '.part', part.value);
    }
  }
  return parts;
}

const textOf = (parts) => parts.map((p) => p.value ?? '').join('');

async function run() {
  const [model] = await vscode.lm.selectChatModels({ vendor: 'korproxy' });
  const out = { id: model.id, name: model.name, maxInput: model.maxInputTokens };
  out.tokens = await model.countTokens('How many tokens are these?');
  out.text = textOf(await ask(model, [Message.User('hello')], {}));

  const question = Message.User('[[tool]] What is the weather?');
  const parts = await ask(model, [question], { tools: [tool], toolMode: vscode.LanguageModelChatToolMode.Required });
  const call = parts.find((p) => p instanceof ToolCall);
  out.call = { id: call.callId, name: call.name, input: call.input };
  const result = Message.User([new ToolResult(call.callId, [new Text('rain')])]);
  out.result = textOf(await ask(model, [question, Message.Assistant([call]), result], { tools: [tool] }));

  const image = Data.image(Buffer.from(pixel, 'base64'), 'image/png');
  out.image = textOf(await ask(model, [Message.User([new Text('[[image]]'), image])], {}));

  // Cancelled by the test, when a part has come.
  const source = new vscode.CancellationTokenSource();
  const waiting = setInterval(() => fs.existsSync(process.env.PROBE_OUT + '.cancel') && source.cancel(), 20);
  try {
    await ask(model, [Message.User('[[hold]]')], {}, source.token);
    out.cancelled = 'it ended';
  } catch (error) {
    out.cancelled = error.name;
  } finally {
    clearInterval(waiting);
  }
  return out;
}

exports.activate = (context) => {
  const command = vscode.commands.registerCommand('probe.ask', async () => {
    const out = await run().catch((error) => ({ error: error.stack ?? error, step }));
    fs.writeFileSync(process.env.PROBE_OUT + '.new', JSON.stringify(out));
    fs.renameSync(process.env.PROBE_OUT + '.new', process.env.PROBE_OUT);
  });
  context.subscriptions.push(command);
};
