import { EventEmitter, type McpServerDefinitionProvider, McpStdioServerDefinition } from 'vscode';
import { commands, type MCPServer } from './protocol';
import type { Session } from './session';

// Servers offers the MCP servers that KorProxy names.
export class Servers implements McpServerDefinitionProvider {
  private readonly changes = new EventEmitter<void>();
  readonly onDidChangeMcpServerDefinitions = this.changes.event;

  constructor(private readonly session: Session) {
    session.onDidChange((lists) => lists.includes('tools') && this.changes.fire());
  }

  async provideMcpServerDefinitions(): Promise<McpStdioServerDefinition[]> {
    if (!this.session.connected) {
      return []; // the editor asks again once it is
    }
    const servers = await this.session.execute<MCPServer[]>(commands.mcpServers, []);
    return servers.map((s) => new McpStdioServerDefinition(s.label, s.command, s.args, s.env, s.version));
  }
}
