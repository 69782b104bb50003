import fs from 'node:fs/promises';
import path from 'node:path';
import { readConfig } from '../../platform/config.ts';
import { createLog } from '../../platform/observability/log.ts';
import { Secret } from '../../platform/secret.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';
import { knownSecrets } from '../../trust/secrets/redact.ts';
import { operatorKey, prepareHome } from '../process/home-folder.ts';
import { CliError, EXIT } from './cli-error.ts';
import { pathOf, type Transport } from './client.ts';
import type { CliWorld } from './session.ts';

/**
 * The control plane of a home, opened in this process for the time of a command: nothing listens, calls go to the same HTTP API.
 * `given`: the key to call with; null = the operator's. Throws CONFIG_INVALID, and DATA_FOLDER_LOCKED while another process has the embedded database open.
 */
export async function openOwnTransport(
  { env, cwd, stderr }: Pick<CliWorld, 'env' | 'cwd' | 'stderr'>,
  home: string,
  given: Secret | null,
): Promise<Transport> {
  const config = readConfig({ ...env, COLMEIA_HOME: home }, cwd);
  await prepareHome(home);
  const { createColmeia, optionsOf } = await import('../../index.ts');
  const { createHttpApp } = await import('../http/http-app.ts');
  // What fails is answered to the caller; the log is only for what nobody asked for.
  const log = createLog({
    level: 'error',
    format: config.logFormat,
    output: stderr,
    redact: (line) => knownSecrets.redact(line),
  });
  let isClosing = false;
  const colmeia = await createColmeia({
    ...optionsOf(config, path.join(home, 'data')),
    // What is cut by closing is taken up by the next process.
    log: (level, data, message) => (isClosing ? undefined : log[level](data, message)),
  });
  try {
    const { file } = await operatorKey(home, {
      isKnown: async (text) => (await colmeia.keys.authenticate(text)) !== null,
      create: async () => (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' })).key,
    });
    const key = given ?? new Secret((await fs.readFile(file, 'utf8')).trim());
    const { app, beginClosing } = await createHttpApp({ colmeia, host: '127.0.0.1', log });
    return {
      name: `the control plane of ${home}, in this process,`,
      isServer: false,
      async send(at, { method = 'GET', query, body, signal }) {
        const answered = app.inject({
          method: method as 'GET',
          url: pathOf(at, query),
          headers: { authorization: `Bearer ${key.reveal()}` },
          ...(body === undefined ? {} : { payload: body as object }),
        });
        const { statusCode, body: text } = await orAborted(answered, signal);
        return { status: statusCode, text };
      },
      async open() {
        throw new CliError(
          EXIT.unavailable,
          'no server is running, so that nothing happens: `colmeia serve` starts one',
        );
      },
      async close() {
        isClosing = true;
        beginClosing();
        await app.close();
        await colmeia.close();
      },
    };
  } catch (error) {
    await colmeia.close();
    throw error;
  }
}

async function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
