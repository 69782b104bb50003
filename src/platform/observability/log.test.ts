import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLog, type LogOptions } from './log.ts';

function logInto(options: Partial<LogOptions> & { isTTY?: boolean } = {}) {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line), isTTY: options.isTTY };
  return { lines, log: createLog({ level: 'info', ...options, output }) };
}

describe('the log', () => {
  it('writes one JSON line per entry when it is not a terminal', () => {
    const { lines, log } = logInto();
    log.child({ plan_id: 'p-1' }).info({ ticket_id: 't-1' }, 'leased');
    const entry = JSON.parse(lines[0]!);
    assert.deepEqual(
      [entry.level, entry.msg, entry.plan_id, entry.ticket_id, entry.service],
      ['info', 'leased', 'p-1', 't-1', 'colmeia'],
    );
    assert.ok(Number.isFinite(Date.parse(entry.time)));
  });

  it('writes short lines on a terminal, with the reason of an error', () => {
    const { lines, log } = logInto({ isTTY: true });
    log.warn({ agent_id: 'a', err: new Error('away') }, 'no answer');
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d warn {2}no answer agent_id=a\n {2}Error: away\n/);
  });

  it('writes JSON on a terminal when told so', () => {
    const { lines, log } = logInto({ isTTY: true, format: 'json' });
    log.info('x');
    assert.equal(JSON.parse(lines[0]!).msg, 'x');
  });

  it('hides secrets at their usual names, nested too, and passwords of URLs anywhere', () => {
    const { lines, log } = logInto();
    log
      .child({ key: 'hunter2' })
      .info(
        { req: { headers: { authorization: 'Bearer hunter2' } }, password: 'hunter2', config: { secret: 'hunter2' } },
        'x',
      );
    log.error(
      { err: new Error('cannot connect to postgresql://me:hunter2@db:5432/colmeia') },
      'postgres://me:hunter2@db',
    );
    assert.doesNotMatch(lines.join(''), /hunter2/);
    assert.match(lines[1]!, /postgresql:\/\/me:\*\*\*@db:5432\/colmeia/);
  });
});
