import * as vscode from 'vscode';
import { ProgressType } from 'vscode-languageclient/node';
import { fromPart, toMessage, toTool } from './parts';
import { type ChatModel, type ChatParams, type ChatProgress, type ChatResult, commands, methods } from './protocol';
import type { Session } from './session';

const parts = new ProgressType<ChatProgress>();
let requests = 0;

// Chat offers the models of KorProxy to everything in the editor that uses
// language models.
export class Chat implements vscode.LanguageModelChatProvider {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changes.event;

  constructor(
    private readonly session: Session,
    private readonly state: vscode.Memento,
  ) {
    session.onDidChange((lists) => lists.includes('models') && this.changes.fire());
  }

  async provideLanguageModelChatInformation(
    { silent }: vscode.PrepareLanguageModelChatModelOptions,
    token: vscode.CancellationToken,
  ): Promise<vscode.LanguageModelChatInformation[]> {
    try {
      const models = await this.session.execute<ChatModel[]>(commands.models, [], token);
      if (models.length > 0) {
        void this.join();
      }
      return models.map((m) => ({
        ...m,
        version: '',
        capabilities: { imageInput: m.imageInput, toolCalling: m.toolCalling },
      }));
    } catch (error) {
      if (silent) {
        return [];
      }
      throw error;
    }
  }

  // join has the editor list KorProxy among the models of the user's own. Without
  // that Chat wants a sign-in to its maker first. It is done once, so that it stays
  // undone for those who undo it.
  private async join(): Promise<void> {
    if (!this.state.get('joined')) {
      await this.state.update('joined', true);
      await vscode.commands.executeCommand('lm.addLanguageModelsProviderGroup', { vendor: 'korproxy', name: 'KorProxy' }).then(undefined, () => {});
    }
  }

  async provideLanguageModelChatResponse(
    model: vscode.LanguageModelChatInformation,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const client = await this.session.connect();
    const params: ChatParams = {
      model: model.id,
      messages: messages.map(toMessage),
      tools: options.tools?.map(toTool),
      toolChoice: options.toolMode === vscode.LanguageModelChatToolMode.Required ? 'required' : 'auto',
      partialResultToken: `chat-${++requests}`,
    };
    const listening = client.onProgress(parts, params.partialResultToken as string, (p) => {
      p.parts.flatMap(fromPart).forEach((part) => void progress.report(part));
    });
    try {
      await client.sendRequest<ChatResult>(methods.chat, params, token);
    } finally {
      listening.dispose();
    }
  }

  provideTokenCount(
    model: vscode.LanguageModelChatInformation,
    text: string | vscode.LanguageModelChatRequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const counted = typeof text === 'string' ? text : JSON.stringify(toMessage(text).parts.map((p) => p.text ?? p));
    return this.session.execute<number>(commands.countTokens, [model.id, counted], token);
  }
}
