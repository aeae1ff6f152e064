import * as vscode from 'vscode';
import type { ChatMessage, ChatPart, ChatTool } from './protocol';

const roles: Record<number, string> = {
  [vscode.LanguageModelChatMessageRole.User]: 'user',
  [vscode.LanguageModelChatMessageRole.Assistant]: 'assistant',
};

// Thinking is a part that the editor has and its declarations lack.
type Thinking = new (text: string) => vscode.LanguageModelTextPart;
const Thinking: Thinking | undefined = Reflect.get(vscode, 'LanguageModelThinkingPart');

export function toMessage(m: vscode.LanguageModelChatRequestMessage): ChatMessage {
  return { role: roles[m.role] ?? 'system', parts: m.content.flatMap(toPart) };
}

export function toTool(t: vscode.LanguageModelChatTool): ChatTool {
  return { name: t.name, description: t.description, inputSchema: t.inputSchema };
}

// toPart gives no part for what is meant for the editor alone, such as its marks
// for caching.
function toPart(part: unknown): ChatPart[] {
  if (part instanceof vscode.LanguageModelTextPart) {
    return [{ type: 'text', text: part.value }];
  }
  if (part instanceof vscode.LanguageModelToolCallPart) {
    return [{ type: 'toolCall', id: part.callId, name: part.name, input: part.input }];
  }
  if (part instanceof vscode.LanguageModelToolResultPart) {
    return [{ type: 'toolResult', id: part.callId, parts: part.content.flatMap(toPart) }];
  }
  if (part instanceof vscode.LanguageModelPromptTsxPart) {
    return [{ type: 'text', text: JSON.stringify(part.value) }];
  }
  if (part instanceof vscode.LanguageModelDataPart) {
    const data = Buffer.from(part.data);
    if (part.mimeType.startsWith('image/')) {
      return [{ type: 'image', mimeType: part.mimeType, data: data.toString('base64') }];
    }
    return /^text\/|json$/.test(part.mimeType) ? [{ type: 'text', text: data.toString('utf8') }] : [];
  }
  return [];
}

export function fromPart(part: ChatPart): vscode.LanguageModelResponsePart[] {
  const { type, text = '', id = '', name = '', input = {}, data = '', mimeType = '' } = part;
  switch (type) {
    case 'text':
      return [new vscode.LanguageModelTextPart(text)];
    case 'reasoning':
      return Thinking ? [new Thinking(text)] : [];
    case 'toolCall':
      return [new vscode.LanguageModelToolCallPart(id, name, input as object)];
    case 'image':
      return [vscode.LanguageModelDataPart.image(Buffer.from(data, 'base64'), mimeType)];
    default:
      return [];
  }
}
