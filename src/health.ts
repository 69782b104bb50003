import type { Colmeia, HealthView } from './colmeia.ts';
import type { Contingency } from './execution/scheduling/contingency/contingency.ts';
import type { Replicas } from './execution/replicas/replicas.ts';
import type { Clock } from './platform/clock.ts';
import type { Store } from './platform/store/store.ts';
import { VERSION } from './version.ts';

/** What the process says of itself, from memory: no query, so that it answers while the database is away. */
export function healthOperations(
  store: Store,
  replicas: Replicas | null,
  clock: Clock,
  contingency: Contingency,
): Pick<Colmeia, 'health' | 'ready'> {
  const checks = (): HealthView['checks'] => {
    const away = store.unavailable();
    const reached = contingency.steps().filter(({ active }) => active);
    return {
      database:
        away === null
          ? { status: 'ok', detail: store.tier }
          : { status: 'unavailable', detail: `the database is not available: ${away}` },
      service:
        reached.length === 0
          ? { status: 'ok' }
          : { status: 'reduced', detail: reached.map(({ step, what }) => `${step}. ${what}`).join(' ') },
      ...(replicas === null
        ? {}
        : {
            companies: {
              status: replicas.shards.held > 0 ? 'ok' : 'none',
              detail: `writes for ${replicas.shards.held} of ${replicas.shards.all} shards`,
            },
          }),
    };
  };
  return {
    health() {
      const found = checks();
      const status = found.database.status === 'ok' ? 'healthy' : 'unhealthy';
      return { status, service: 'colmeia', version: VERSION, timestamp: clock.now(), checks: found };
    },
    ready() {
      const found = checks();
      const isReady = found.database.status === 'ok';
      const isFull = isReady && found.service.status === 'ok';
      return { status: isReady ? 'ready' : 'not_ready', mode: isFull ? 'full' : 'degraded', checks: found };
    },
  };
}
