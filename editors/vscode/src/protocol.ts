// Made from companion/lsp by 'make generate'; do not edit.

export const methods = {
  status: 'korproxy/status',
  menu: 'korproxy/menu',
  input: 'korproxy/input',
  changed: 'korproxy/changed',
  chat: 'korproxy/chat',
} as const;

export const commands = {
  menu: 'korproxy.menu',
  profile: 'korproxy.profile',
  model: 'korproxy.model',
  account: 'korproxy.account',
  signIn: 'korproxy.signIn',
  test: 'korproxy.test',
  usage: 'korproxy.usage',
  logs: 'korproxy.logs',
  doctor: 'korproxy.doctor',
  safeMode: 'korproxy.safeMode',
  restart: 'korproxy.restart',
  config: 'korproxy.config',
  status: 'korproxy.status',
  models: 'korproxy.models',
  countTokens: 'korproxy.countTokens',
  mcpServers: 'korproxy.mcpServers',
  open: 'korproxy.open',
  dismiss: 'korproxy.dismiss',
} as const;

export interface ClientCapabilities {
  /** Renders korproxy/status. */
  status?: boolean;
  /** Shows menus itself when a command is korproxy.menu; else they come as window/showMessageRequest. */
  menu?: boolean;
  /** Answers korproxy/input. */
  input?: boolean;
  /** Uses korproxy/chat, and wants korproxy/changed for models. */
  chat?: boolean;
}

export type State = 'starting' | 'ready' | 'degraded' | 'limited' | 'signed-out' | 'stopped' | 'failed' | 'restarting';

export type Severity = 'info' | 'warning' | 'error';

export type Icon = 'ok' | 'busy' | 'warning' | 'error' | 'limit' | 'key' | 'off' | 'profile' | 'model' | 'account' | 'test' | 'usage' | 'log' | 'doctor' | 'safe' | 'restart' | 'config' | 'add';

export interface Command {
  title: string;
  command: string;
  arguments?: unknown[];
}

export interface StatusParams {
  state: State;
  /** Short, for the status item. */
  text: string;
  severity: Severity;
  icon: Icon;
  /** Markdown, for the item's tooltip. */
  hover: string;
  /** What a click does. */
  command?: Command;
}

export interface MenuParams {
  /** The menu; main is the first one. */
  id: string;
}

export interface MenuItem {
  label: string;
  /** Beside the label. */
  description?: string;
  /** Below it. */
  detail?: string;
  icon?: Icon;
  /** The one in use. */
  checked?: boolean;
  /** The label heads the items that follow. */
  separator?: boolean;
  command?: Command;
  /** The id of a submenu. */
  menu?: string;
}

export interface Menu {
  id: string;
  title: string;
  placeholder?: string;
  items: MenuItem[];
}

export interface InputParams {
  title: string;
  prompt: string;
  placeholder?: string;
  /** What stands there at first. */
  value?: string;
  /** Show it as dots, keep it in no history. */
  secret?: boolean;
  /** A regular expression all of the text has to match. It is simple enough to mean the same in every editor. */
  pattern?: string;
  /** What to say of text that does not match. */
  patternError?: string;
}

export interface InputResult {
  value: string | null;
}

export type List = 'menus' | 'models' | 'tools';

export interface ChangedParams {
  lists: List[];
}

export interface ChatModel {
  /** For ChatParams.model. */
  id: string;
  name: string;
  family: string;
  /** A word or two beside the name. */
  detail?: string;
  tooltip?: string;
  maxInputTokens: number;
  maxOutputTokens: number;
  imageInput: boolean;
  toolCalling: boolean;
}

export interface ChatPart {
  /** text, image, reasoning, toolCall or toolResult. */
  type: string;
  /** Of text and reasoning. */
  text?: string;
  /** Of an image. */
  mimeType?: string;
  /** Of an image: base64. */
  data?: string;
  /** Of a tool call, and of its result. */
  id?: string;
  /** Of a tool call. */
  name?: string;
  /** Of a tool call: an object. */
  input?: unknown;
  /** Of a tool result. */
  parts?: ChatPart[];
  /** Of a tool result. */
  isError?: boolean;
}

export interface ChatMessage {
  /** system, user or assistant. */
  role: string;
  parts: ChatPart[];
}

export interface ChatTool {
  name: string;
  description?: string;
  /** JSON Schema of the input. */
  inputSchema?: unknown;
}

export interface ChatParams {
  model: string;
  messages: ChatMessage[];
  tools?: ChatTool[];
  /** auto, required or none; empty is auto. */
  toolChoice?: string;
  maxTokens?: number;
  partialResultToken?: number | string;
}

export interface ChatProgress {
  parts: ChatPart[];
}

export interface ChatResult {
  /** Which answered, as provider/model. */
  model: string;
  /** Why it ended: stop, length, tool_calls, content_filter. */
  stop: string;
  inputTokens?: number;
  outputTokens?: number;
}

export interface ErrorData {
  /** KP-AREA-NNN. */
  code: string;
  /** What the user can do. */
  fix?: string;
  /** The same request may be sent again. */
  retry?: boolean;
}

export interface MCPServer {
  label: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  version?: string;
}

export interface DoctorCheck {
  id: string;
  title: string;
  /** ok, warning, failed or skipped. */
  result: string;
  /** What was found. */
  message: string;
  /** KP-AREA-NNN, where it did not pass. */
  code?: string;
  /** What the user can do. */
  fix?: string;
  /** A command line that mends it, or leads there. */
  run?: string;
  /** The same in an editor. */
  command?: Command;
  /** Where the code is explained. */
  link?: string;
}

export interface DoctorResult {
  /** No check failed. */
  ok: boolean;
  deep: boolean;
  checks: DoctorCheck[];
}

// What is shown while nothing can be heard from KorProxy.
export const statuses = {
  starting: {
    state: 'starting',
    text: 'KorProxy',
    severity: 'info',
    icon: 'busy',
    hover: 'KorProxy is starting.',
  },
  restarting: {
    state: 'restarting',
    text: 'KorProxy restarting',
    severity: 'error',
    icon: 'busy',
    hover: 'The connection to KorProxy was lost. It is being started again.',
  },
  failed: {
    state: 'failed',
    text: 'KorProxy failed',
    severity: 'error',
    icon: 'error',
    hover: 'KorProxy keeps ending right after its start. It is tried again from time to time. Run `korproxy doctor` in a terminal to see why.',
  },
  missing: {
    state: 'failed',
    text: 'KorProxy missing',
    severity: 'error',
    icon: 'error',
    hover: 'The korproxy program was not found. Install it, put it on PATH, or set its path.',
  },
  stopped: {
    state: 'stopped',
    text: 'KorProxy stopped',
    severity: 'info',
    icon: 'off',
    hover: 'The editor is not connected to KorProxy.',
  },
} as const;
