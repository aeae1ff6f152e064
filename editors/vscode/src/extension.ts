import { type ExtensionContext, commands as editor, lm, window, workspace } from 'vscode';
import { LSPErrorCodes, type ResponseError } from 'vscode-languageclient/node';
import { Chat } from './chat';
import { Servers } from './mcp';
import { Menus } from './menu';
import { type Command, commands, type ErrorData } from './protocol';
import { Disconnected, Session } from './session';
import { Status } from './status';

let session: Session;

export function activate(context: ExtensionContext): void {
  const output = window.createOutputChannel('KorProxy', { log: true });
  const status = new Status();
  session = new Session(context, status, output);
  const menus = new Menus(session, ({ command, arguments: args = [] }) => editor.executeCommand(command, ...args));

  // run does what a command says. Most are KorProxy's own affair.
  async function run(id: Command['command'], args: unknown[]): Promise<unknown> {
    try {
      if (id === commands.menu) {
        return await menus.show(typeof args[0] === 'string' ? args[0] : 'main');
      }
      if (id === commands.restart && !session.connected) {
        return await session.restart();
      }
      const result = await session.execute<Command | undefined>(id, args);
      // A command that wants a choice answers with the menu to choose from.
      return result?.command === commands.menu ? await run(result.command, result.arguments ?? []) : result;
    } catch (error) {
      if (error instanceof Disconnected) {
        output.show(true);
      } else if (session.connected && (error as ResponseError).code !== LSPErrorCodes.RequestCancelled) {
        const { message, data } = error as ResponseError<ErrorData>;
        void window.showErrorMessage(data?.fix ? `${message}. ${data.fix}` : message);
      }
    }
  }

  context.subscriptions.push(output, status.item);
  for (const id of Object.values(commands)) {
    context.subscriptions.push(editor.registerCommand(id, (...args) => run(id, args)));
  }
  context.subscriptions.push(
    workspace.onDidChangeConfiguration((e) => {
      if (e.affectsConfiguration('korproxy.path') || e.affectsConfiguration('korproxy.home')) {
        session.restart().catch(() => {});
      }
    }),
  );
  // Editors made from older versions of VS Code lack these.
  if (typeof lm?.registerLanguageModelChatProvider === 'function') {
    context.subscriptions.push(lm.registerLanguageModelChatProvider('korproxy', new Chat(session, context.globalState)));
  }
  if (typeof lm?.registerMcpServerDefinitionProvider === 'function') {
    context.subscriptions.push(lm.registerMcpServerDefinitionProvider('korproxy', new Servers(session)));
  }
  session.connect().catch(() => {}); // the status item says what went wrong
}

export function deactivate(): Promise<void> {
  return session.stop();
}
