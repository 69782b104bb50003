import { isColmeiaError } from '../../platform/errors.ts';
import type { JiraApi } from './jira-api.ts';

const NEEDED = 'ADMINISTER';
const TOO_MUCH = 'SYSTEM_ADMIN';

/** Whether the credentials are good for companies, in a sentence. */
export async function checkJira(api: JiraApi): Promise<{ ok: boolean; detail: string }> {
  try {
    const user = await api.lib.getCurrentUser(api.client());
    const asked = { permissions: `${NEEDED},${TOO_MUCH}` };
    const { permissions = {} } = await api.lib.getMyPermissions(api.client(), asked);
    const has = (name: string): boolean =>
      (permissions[name] as { havePermission?: boolean } | undefined)?.havePermission === true;
    const who = user.displayName ?? user.accountId ?? 'the account';
    if (!has(NEEDED)) {
      return { ok: false, detail: `${who} may not make projects: it needs the global permission Administer Jira` };
    }
    if (has(TOO_MUCH)) return { ok: true, detail: `${who} may more than is needed: it is a system administrator` };
    return { ok: true, detail: `${who} may make projects` };
  } catch (error) {
    if (isColmeiaError(error)) return { ok: false, detail: error.message };
    throw error;
  }
}
