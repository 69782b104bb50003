import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Colmeia } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Principal } from '../../trust/identity/principal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null only on public routes. */
    who: Principal | null;
  }
  interface FastifyContextConfig {
    /** Answered without a key. */
    public?: boolean;
  }
}

/**
 * Every call needs a key unless its route is marked public; so does every unknown route under /api, where nobody may
 * find out what exists. The key is compared in fixed time by the store of keys and is never logged.
 */
export function authenticateCalls(app: FastifyInstance, colmeia: Colmeia): void {
  app.decorateRequest('who', null);
  app.addHook('onRequest', async (request) => {
    if (isPublic(request)) return;
    request.who = await provedBy(colmeia, request.headers.authorization);
  });
}

function isPublic(request: FastifyRequest): boolean {
  if (request.is404) return !request.url.startsWith('/api/');
  return request.routeOptions.config.public === true;
}

/** The caller that an Authorization header proves. Throws UNAUTHENTICATED, with the same words whatever is wrong with it. */
export async function provedBy(colmeia: Colmeia, header: string | undefined): Promise<Principal> {
  const key = bearerKey(header);
  const who = key === null ? null : await colmeia.keys.authenticate(key);
  if (who === null) {
    throw new ColmeiaError('UNAUTHENTICATED', 'the call needs a valid key: send "Authorization: Bearer <key>"');
  }
  return who;
}

export function bearerKey(header: string | undefined): string | null {
  return /^bearer +([!-~]{1,512})$/i.exec(header ?? '')?.[1] ?? null;
}
