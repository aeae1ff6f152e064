import { type CancellationToken, window } from 'vscode';
import type { InputParams, InputResult } from './protocol';

// ask has the user type one line.
export async function ask(p: InputParams, token: CancellationToken): Promise<InputResult> {
  const pattern = p.pattern ? new RegExp(`^(?:${p.pattern})$`) : undefined;
  const value = await window.showInputBox(
    {
      title: p.title,
      prompt: p.prompt,
      placeHolder: p.placeholder,
      value: p.value,
      password: p.secret,
      ignoreFocusOut: true, // a key is fetched from a browser
      validateInput: (text) => (pattern && !pattern.test(text) ? (p.patternError ?? p.prompt) : undefined),
    },
    token,
  );
  return { value: value ?? null };
}
