import { isColmeiaError } from '../../platform/errors.ts';
import type { ConfluenceApi } from './confluence-api.ts';

/** Whether the credentials are good for companies, in a sentence. */
export async function checkConfluence(api: ConfluenceApi): Promise<{ ok: boolean; detail: string }> {
  try {
    const user = await api.v1.getCurrentUser(api.client(), { expand: ['operations'] });
    const who = user.displayName ?? user.accountId ?? 'the account';
    const { operations } = user;
    if (!operations) return { ok: true, detail: `${who} is known; the site does not say whether it may make spaces` };
    const mayCreate = operations.some((one) => one.operation === 'create' && one.targetType === 'space');
    if (mayCreate) return { ok: true, detail: `${who} may make spaces` };
    return { ok: false, detail: `${who} may not make spaces: it needs the global permission Create spaces` };
  } catch (error) {
    if (isColmeiaError(error)) return { ok: false, detail: error.message };
    throw error;
  }
}
