import { type ChildProcess, spawn } from 'node:child_process';
import { type CancellationToken, EventEmitter, type ExtensionContext, type LogOutputChannel, workspace } from 'vscode';
import { CloseAction, ErrorAction, type InitializeParams, LanguageClient, RevealOutputChannelOn, State } from 'vscode-languageclient/node';
import { findProgram } from './binary';
import { ask } from './input';
import { type ChangedParams, type ClientCapabilities, type InputParams, type List, methods, type StatusParams } from './protocol';
import type { Status } from './status';

const firstDelay = 100;
const lastDelay = 30_000;
const steady = 10_000; // a connection that lived this long starts the count anew
const patience = 3; // so many failures in a row are shown as failed

export class Disconnected extends Error {}

// Client leaves the commands to the extension, which has them also while nothing
// is connected, and keeps its own troubles out of the user's way: the status
// item shows them.
class Client extends LanguageClient {
  override registerFeature(feature: Parameters<LanguageClient['registerFeature']>[0]): void {
    if (!('registrationType' in feature && feature.registrationType.method === 'workspace/executeCommand')) {
      super.registerFeature(feature);
    }
  }

  protected override fillInitializeParams(params: InitializeParams): void {
    super.fillInitializeParams(params);
    const korproxy: ClientCapabilities = { status: true, menu: true, input: true, chat: true };
    params.capabilities.experimental = { korproxy };
  }

  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  // trace leaves out what was typed into an input box, which may be a key.
  override trace(message: string, data?: unknown): void {
    super.trace(message, message.includes(`'${methods.input} - (`) ? undefined : data);
  }
}

// Session is the connection to KorProxy. It starts the program, and starts it
// again when it ends, with growing pauses and for as long as it takes.
export class Session {
  private readonly changes = new EventEmitter<List[]>();
  readonly onDidChange = this.changes.event;
  private client?: Client;
  private child?: ChildProcess;
  private started?: Promise<Client>;
  private retry?: NodeJS.Timeout;
  private since = 0;
  private failures = 0;
  private last: string[] = []; // what the program wrote to stderr at the end

  constructor(
    private readonly context: ExtensionContext,
    private readonly status: Status,
    private readonly output: LogOutputChannel,
  ) {}

  get connected(): boolean {
    return this.client?.state === State.Running;
  }

  // connect gives the running client, and starts one where there is none.
  connect(): Promise<Client> {
    clearTimeout(this.retry);
    if (!this.started) {
      const started = this.start().catch((error) => {
        if (this.started === started) {
          this.started = undefined; // and not the one after a restart
        }
        throw error;
      });
      this.started = started;
    }
    return this.started;
  }

  async request<R>(method: string, params: unknown, token?: CancellationToken): Promise<R> {
    const client = await this.connect();
    // The client library would take an undefined token for a second parameter.
    return token ? client.sendRequest<R>(method, params, token) : client.sendRequest<R>(method, params);
  }

  execute<R>(command: string, args: unknown[], token?: CancellationToken): Promise<R> {
    return this.request<R>('workspace/executeCommand', { command, arguments: args }, token);
  }

  private async start(): Promise<Client> {
    const settings = workspace.getConfiguration('korproxy');
    const program = findProgram(settings.get('path', ''), this.context.extensionPath);
    this.status.alone(this.failures ? 'restarting' : 'starting');
    if (!program) {
      const command = { title: '', command: 'workbench.action.openSettings', arguments: ['korproxy.path'] };
      this.status.alone('missing', '', command);
      throw new Disconnected();
    }
    const client = this.make(program, settings.get('home', ''));
    this.client = client;
    this.since = Date.now();
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped || newState === State.StartFailed) {
        this.lost(client);
      }
    });
    try {
      await client.start();
    } catch {
      this.lost(client);
      throw new Disconnected();
    }
    this.output.info(`${program}: ${client.initializeResult?.serverInfo?.version ?? ''}`);
    this.changes.fire(['menus', 'models', 'tools']);
    return client;
  }

  private make(program: string, home: string): Client {
    const env = home ? { ...process.env, KORPROXY_HOME: home } : process.env;
    const client = new Client('korproxy', 'KorProxy', async () => this.spawn(program, env), {
      documentSelector: ['**/korproxy.toml', '**/.korproxy.toml'].map((pattern) => ({ scheme: 'file', pattern })),
      outputChannel: this.output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true, message: 'The connection is closed.' }),
      },
    });
    client.onNotification(methods.status, (s: StatusParams) => this.status.show(s));
    client.onNotification(methods.changed, (c: ChangedParams) => this.changes.fire(c.lists));
    client.onRequest(methods.input, (p: InputParams, token) => ask(p, token));
    return client;
  }

  private spawn(program: string, env: NodeJS.ProcessEnv): ChildProcess {
    this.last = [];
    const child = spawn(program, ['lsp'], { env, windowsHide: true });
    const note = (text: unknown) => {
      this.last = [...this.last, ...String(text).trimEnd().split('\n')].slice(-5);
    };
    child.on('error', note);
    child.stderr.setEncoding('utf8').on('data', note);
    this.child = child;
    return child;
  }

  private lost(client: Client): void {
    if (this.client !== client) {
      return;
    }
    this.client = this.started = undefined;
    this.child?.kill();
    client.dispose().catch(() => {});
    this.failures = Date.now() - this.since > steady ? 1 : this.failures + 1;
    this.status.alone(this.failures > patience ? 'failed' : 'restarting', this.last.join('\n'));
    const delay = Math.min(firstDelay * 2 ** (this.failures - 1), lastDelay);
    this.retry = setTimeout(() => this.connect().catch(() => {}), delay);
  }

  async stop(): Promise<void> {
    clearTimeout(this.retry);
    const client = this.client;
    this.client = this.started = undefined;
    await client?.dispose().catch(() => {});
    this.child?.kill();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.failures = 0;
    await this.connect();
  }
}
