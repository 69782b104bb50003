import type { Fault } from '../../platform/errors.ts';
import { SECURITY_LEVELS } from './filter-plugins.ts';

const FLAGS = ['burst', 'last_resort', 'fallback'];
const MAX_SPEED = 1_000;

/** The labels of an agent that the scheduler reads; what any other says is the operator's own. */
export function checkLabels(labels: Readonly<Record<string, unknown>>, faults: Fault[]): void {
  const fault = (name: string, message: string): void => void faults.push({ path: `labels.${name}`, message });
  for (const [name, label] of Object.entries(labels)) {
    if (typeof label !== 'string') continue; // that is a fault already
    const number = label.trim() === '' ? Number.NaN : Number(label);
    if ((name === 'speed' || name.startsWith('speed:')) && !(number > 0 && number <= MAX_SPEED))
      fault(name, `must be a number above 0, at most ${MAX_SPEED}`);
    if (name === 'cost_per_hour' && !(number >= 0 && number < Infinity)) fault(name, 'must be a number of 0 or more');
    if (name === 'security_level' && !SECURITY_LEVELS.includes(label.toUpperCase()))
      fault(name, `must be one of ${SECURITY_LEVELS.join(', ')}`);
    if (FLAGS.includes(name) && label !== 'true' && label !== 'false') fault(name, 'must be true or false');
  }
}
