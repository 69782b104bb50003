import { ColmeiaError } from '../../platform/errors.ts';
import type { Scope } from '../../platform/store/store.ts';
import type { KeyScope, Principal } from './principal.ts';

/** What a caller may read, as the scope of its statements. */
export function scopeOf(who: Principal): Scope {
  return who.instance === null ? { as: 'coordinator' } : { as: 'company', instance: who.instance };
}

/** Every operation asks this first: what the key is for. */
export function mustHave(who: Principal, scope: KeyScope): void {
  if (!who.scopes.includes(scope))
    throw new ColmeiaError('FORBIDDEN', `the key has no scope "${scope}", which this needs`);
}

/** Operators only. */
export function mustOperate(who: Principal): void {
  if (who.kind !== 'operator') throw new ColmeiaError('FORBIDDEN', 'only a key of an operator may do this');
}

/** Operators and companies; an agent's key only runs tickets. */
export function mustDirect(who: Principal): void {
  if (who.kind === 'agent') throw new ColmeiaError('FORBIDDEN', 'the key of an agent may only run tickets');
}

/** A company's key always means its own company; naming another answers as if that one did not exist. */
export function companyOf(who: Principal, asked: string | undefined, otherwise: string): string {
  if (who.instance === null) return asked ?? otherwise;
  if (asked !== undefined && asked !== who.instance) throw noInstance(asked);
  return who.instance;
}

/** The same for filters, where nothing asked means everything the caller sees. */
export function filterOf(who: Principal, asked: string | undefined): string | null {
  return who.instance === null ? (asked ?? null) : companyOf(who, asked, who.instance);
}

export const noInstance = (name: string): ColmeiaError =>
  new ColmeiaError('INSTANCE_NOT_FOUND', `instance "${name}" not found`);
