import { MarkdownString, StatusBarAlignment, ThemeColor, window } from 'vscode';
import { commands, type Icon, type StatusParams, statuses } from './protocol';

// icons are the pictures VS Code has for those the protocol names.
export const icons: Record<Icon, string> = {
  ok: 'check',
  busy: 'sync~spin',
  warning: 'warning',
  error: 'error',
  limit: 'watch',
  key: 'key',
  off: 'circle-slash',
  profile: 'layers',
  model: 'sparkle',
  account: 'account',
  test: 'beaker',
  usage: 'graph',
  log: 'output',
  doctor: 'pulse',
  safe: 'shield',
  restart: 'refresh',
  config: 'gear',
  add: 'add',
};

const backgrounds = { info: undefined, warning: 'statusBarItem.warningBackground', error: 'statusBarItem.errorBackground' };

// Status is the item in the status bar. It shows what KorProxy says, and while
// nothing can be heard from there, that.
export class Status {
  readonly item = window.createStatusBarItem('status', StatusBarAlignment.Right, 100);

  constructor() {
    this.item.name = 'KorProxy';
    this.alone('starting');
    this.item.show();
  }

  show(s: StatusParams): void {
    this.item.text = `$(${icons[s.icon] ?? icons.ok}) ${s.text}`;
    this.item.tooltip = new MarkdownString(s.hover, true);
    this.item.command = s.command ?? commands.menu;
    const background = backgrounds[s.severity];
    this.item.backgroundColor = background ? new ThemeColor(background) : undefined;
  }

  // alone shows the state of the connection itself; detail is what the program
  // said at its end.
  alone(name: keyof typeof statuses, detail = '', command: StatusParams['command'] = { title: '', command: commands.restart }): void {
    const status = statuses[name];
    this.show({ ...status, command });
    this.item.tooltip = [status.hover, detail].join('\n').trim();
  }
}
