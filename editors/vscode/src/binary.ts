import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const name = process.platform === 'win32' ? 'korproxy.exe' : 'korproxy';

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// findProgram gives the path of korproxy: the configured one, the one that came
// with the extension, or the first on PATH. A configured one that is not there
// is not made up for by another.
export function findProgram(configured: string, extension: string): string | undefined {
  const bundled = join(extension, 'bin', name);
  if (!configured && existsSync(bundled)) {
    return bundled;
  }
  const wanted = configured || name;
  const folders = isAbsolute(wanted) ? [''] : (process.env.PATH ?? '').split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, wanted)).find(runs);
}
