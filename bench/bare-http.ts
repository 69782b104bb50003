// A fastify without anything behind it, for comparison: POST /submit reads a decision and answers as Colmeia does; GET /one asks
// the database for `select 1` through the store. In a process of its own.
import { fork } from 'node:child_process';
import { fastify } from 'fastify';
import { openStore } from '../src/platform/store/open-store.ts';
import type { Place } from './places.ts';

export type BareServer = { address: string; stop(): Promise<void> };

/** Without a place there is no GET /one. */
export async function startBareServer(
  place: Pick<Place, 'databaseUrl' | 'dataFolder'> | null = null,
): Promise<BareServer> {
  const child = fork(import.meta.filename, [JSON.stringify(place)], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16'],
  });
  const onExit = (): void => void child.kill('SIGKILL');
  process.on('exit', onExit);
  const address = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(message as string));
    child.once('exit', (code) => reject(new Error(`the bare server ended with ${code}`)));
  });
  return {
    address,
    async stop() {
      process.off('exit', onExit);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await gone;
    },
  };
}

async function serveBare(): Promise<void> {
  const place = JSON.parse(process.argv[2]!) as Place | null;
  const store = place === null ? null : await openStore(place);
  const app = fastify();
  const answer = {
    plan_id: '',
    workflow_id: '',
    status: 'running',
    instance: 'default',
    duplicate: false,
    warnings: [],
  };
  app.post<{ Body: { plan_id: string } }>('/submit', async ({ body }, reply) => {
    return reply.code(202).send({ ...answer, plan_id: body.plan_id, workflow_id: `orchestration-${body.plan_id}` });
  });
  app.get('/one', async () => store!.read({ as: 'coordinator' }, (sql) => sql.query('select 1 as one')));
  process.once('disconnect', () => {
    void app.close().then(() => store?.close());
  });
  process.send!(await app.listen({ host: '127.0.0.1', port: 0 }));
}

if (import.meta.main) await serveBare();
