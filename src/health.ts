import type { Colmeia, HealthView } from './colmeia.ts';
import type { Replicas } from './execution/replicas/replicas.ts';
import type { Clock } from './platform/clock.ts';
import type { Store } from './platform/store/store.ts';
import { VERSION } from './version.ts';

/** What the process says of itself, from memory: no query, so that it answers while the database is away. */
export function healthOperations(
  store: Store,
  replicas: Replicas | null,
  clock: Clock,
): Pick<Colmeia, 'health' | 'ready'> {
  const checks = (): HealthView['checks'] => {
    const away = store.unavailable();
    return {
      database:
        away === null
          ? { status: 'ok', detail: store.tier }
          : { status: 'unavailable', detail: `the database is not available: ${away}` },
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
      return { status: isReady ? 'ready' : 'not_ready', mode: isReady ? 'full' : 'degraded', checks: found };
    },
  };
}
