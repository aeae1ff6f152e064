import { QuickInputButtons, type QuickPick, type QuickPickItem, QuickPickItemKind, ThemeIcon, window } from 'vscode';
import { type Command, type Menu, type MenuItem, methods } from './protocol';
import type { Session } from './session';
import { icons } from './status';

interface Row extends QuickPickItem {
  item: MenuItem;
}

interface Open {
  pick: QuickPick<Row>;
  path: string[]; // the menus gone through; the last is shown
}

// Menus shows menus as quick picks. One is open at a time, and follows what
// changes while it is.
export class Menus {
  private open?: Open;

  constructor(
    private readonly session: Session,
    private readonly execute: (command: Command) => Thenable<unknown>,
  ) {
    session.onDidChange((lists) => {
      if (lists.includes('menus') && this.open) {
        // While KorProxy comes back the menu stays as it was.
        this.load(this.open).catch(() => {});
      }
    });
  }

  async show(id: string): Promise<void> {
    this.open?.pick.hide();
    const pick = window.createQuickPick<Row>();
    const open = { pick, path: [id] };
    this.open = open;
    pick.matchOnDescription = pick.matchOnDetail = pick.busy = true;
    pick.onDidHide(() => {
      pick.dispose();
      this.open = this.open === open ? undefined : this.open;
    });
    pick.onDidTriggerButton(() => this.enter(open, open.path.slice(0, -1)));
    pick.onDidAccept(() => {
      const item = pick.selectedItems[0]?.item;
      if (item?.command) {
        pick.hide();
        void this.execute(item.command);
      } else if (item?.menu) {
        this.enter(open, [...open.path, item.menu]);
      }
    });
    pick.show();
    try {
      await this.load(open, true);
    } catch (error) {
      pick.hide();
      throw error;
    }
  }

  private enter(open: Open, path: string[]): void {
    const was = open.path;
    open.path = path;
    open.pick.busy = true;
    this.load(open, true).catch(() => {
      open.path = was;
      open.pick.busy = false;
    });
  }

  private async load(open: Open, fresh = false): Promise<void> {
    const { pick, path } = open;
    const menu = await this.session.request<Menu>(methods.menu, { id: path.at(-1) });
    if (this.open !== open || open.path !== path) {
      return; // closed, or gone elsewhere, in the meantime
    }
    const active = pick.activeItems[0]?.label;
    pick.busy = false;
    pick.title = menu.title;
    pick.placeholder = menu.placeholder;
    pick.buttons = path.length > 1 ? [QuickInputButtons.Back] : [];
    pick.value = fresh ? '' : pick.value;
    pick.keepScrollPosition = true;
    pick.items = menu.items.map(row);
    const again = pick.items.find((r) => (fresh ? r.item.checked : r.label === active));
    if (again) {
      pick.activeItems = [again]; // else the first one is
    }
  }
}

function row(item: MenuItem): Row {
  return {
    item,
    label: item.label,
    kind: item.separator ? QuickPickItemKind.Separator : QuickPickItemKind.Default,
    description: item.description,
    detail: item.detail,
    iconPath: item.icon || item.checked ? new ThemeIcon(item.checked ? 'check' : icons[item.icon as keyof typeof icons]) : undefined,
  };
}
