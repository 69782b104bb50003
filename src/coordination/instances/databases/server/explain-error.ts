import { NOT_PUBLIC } from '../../../../connectors/outside/public-address.ts';
import { ColmeiaError } from '../../../../platform/errors.ts';
import { isConnectionLoss, reasonOf } from '../../../../platform/store/server-errors.ts';
import { companyFull, companyUnavailable } from '../unavailable.ts';

const PRIVATE = 'its address is of this machine or a private network, which COLMEIA_PRIVATE_ADDRESSES does not allow';
const REMEDY =
  "Colmeia's login needs CREATEDB and CREATEROLE to make a company's database, and BYPASSRLS to copy, export or prove one (alter role <login> createdb createrole bypassrls)";

export function denied(message: string, cause?: unknown): ColmeiaError {
  return new ColmeiaError('DATABASE_DENIED', `${message}. ${REMEDY}; or an administrator makes what is missing.`, {
    cause,
  });
}

/** What a caller is told about a server's own trouble with one company; errors of SQL pass as they are. */
export function explainError(error: unknown, whose: string): unknown {
  if (error instanceof ColmeiaError) return error;
  const { code } = error as { code?: string };
  if (code === NOT_PUBLIC) return companyUnavailable(whose, PRIVATE, error);
  if (code === '53100') return companyFull(whose, error);
  if (code === '57014') return companyUnavailable(whose, 'a statement took longer than its deadline', error);
  if (isConnectionLoss(error)) return companyUnavailable(whose, reasonOf(error), error);
  return error;
}

/** As `explainError`, where what is done needs rights of Colmeia's own login. */
export function explainDenied(error: unknown, whose: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  return code === '42501'
    ? denied(`The server refused what the database of ${whose} needs: ${message}`, error)
    : explainError(error, whose);
}
