import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ColmeiaError } from '../../../platform/errors.ts';
import { until } from '../../../platform/bus/journal.testing.ts';
import { systemClock } from '../../../platform/clock.ts';
import { layOutCompany, temporaryInstances } from '../folder/company-folder.testing.ts';
import type { Health, ValidationReport } from '../instance-views.ts';
import { HealthMonitor, type HealthMonitorOptions, type MonitoredCompany } from './health-monitor.ts';
import { companyFault } from './validation-codes.ts';

const FAULT = companyFault('RLS_OFF', 'table a', 'x');
const monitored = (name: string, folder: string | null = null): MonitoredCompany => ({
  name,
  folder,
  health: 'unknown',
  faults: [],
});
const reportOf = (name: string, health: Health = 'healthy'): ValidationReport => ({
  name,
  health,
  faults: health === 'unhealthy' ? [FAULT] : [],
  checks: [],
  validated_at: '2026-11-21T00:00:00.000Z',
});

/** A monitor over companies that tests may change, with what it did. */
function watched(companies: MonitoredCompany[], more: Partial<HealthMonitorOptions> = {}) {
  const did = {
    validated: [] as string[],
    saved: [] as ValidationReport[][],
    changes: [] as string[],
    logged: [] as string[],
  };
  const validate = more.validate ?? (async (name) => reportOf(name));
  const monitor = new HealthMonitor({
    companies: async () => companies,
    save: async (reports) => void did.saved.push([...reports]),
    onHealth: (name, from, report) => void did.changes.push(`${name} ${from} ${report.health}`),
    clock: systemClock,
    random: () => 0.5,
    log: (_, __, message) => void did.logged.push(message),
    debounceMs: 5,
    ...more,
    validate(name, cause) {
      did.validated.push(name);
      return validate(name, cause);
    },
  });
  return { monitor, did };
}

describe('HealthMonitor', () => {
  it('validates every company again and again, and saves and tells only what is new', async () => {
    const { monitor, did } = watched([monitored('a'), monitored('b')], { intervalMs: 5 });
    monitor.start();
    await until(() => did.validated.filter((name) => name === 'b').length > 5, 'validations');
    await monitor.stop();
    assert.deepEqual(did.changes.sort(), ['a unknown healthy', 'b unknown healthy']);
    assert.deepEqual(
      did.saved
        .flat()
        .map(({ name }) => name)
        .sort(),
      ['a', 'b'],
    );
    const count = did.validated.length;
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(did.validated.length, count);
  });

  it('tells when health changes, and saves when only the faults do', async () => {
    const found = [
      reportOf('a', 'unhealthy'),
      { ...reportOf('a', 'unhealthy'), faults: [FAULT, FAULT] },
      reportOf('a'),
    ];
    const { monitor, did } = watched([monitored('a')], {
      validate: async () => found.shift() ?? reportOf('a'),
      intervalMs: 3_600_000,
    });
    monitor.start();
    for (let n = 1; n <= 4; n++) {
      await until(() => did.validated.length === n, 'a validation');
      await new Promise((done) => setImmediate(done));
      monitor.soon('a');
    }
    await monitor.stop();
    assert.deepEqual(did.changes, ['a unknown unhealthy', 'a unhealthy healthy']);
  });

  it('runs few at a time, and lets those that hang not keep a changed one waiting', async () => {
    const many = Array.from({ length: 30 }, (_, n) => monitored(`c${n}`));
    const { promise, resolve } = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const { monitor, did } = watched([...many, monitored('changed')], {
      intervalMs: 60,
      async validate(name) {
        most = Math.max(most, ++running);
        if (name !== 'changed') await promise;
        running--;
        return reportOf(name);
      },
    });
    monitor.start();
    await until(() => did.validated.length >= 4, 'four that hang');
    monitor.soon('changed');
    await until(() => did.validated.includes('changed'), 'the changed one');
    resolve();
    await until(() => did.validated.length > 31, 'all of them');
    await monitor.stop();
    assert.ok(most <= 5, String(most));
  });

  it('survives a validation, a registry and a database that throw', async () => {
    const away = new ColmeiaError('STORE_UNAVAILABLE', 'away');
    let listed = 0;
    let saves = 0;
    const saved: string[] = [];
    const { monitor, did } = watched([], {
      intervalMs: 3_600_000,
      async companies() {
        if (listed++ === 0) throw away;
        return [monitored('a'), monitored('b')];
      },
      async validate(name) {
        if (name === 'a') throw away;
        return reportOf(name);
      },
      async save(reports) {
        if (saves++ === 0) throw away;
        saved.push(...reports.map(({ name }) => name));
      },
      onHealth: () => Promise.reject(away),
    });
    monitor.start();
    await until(() => did.logged.length === 1, 'the registry away');
    monitor.soon('b'); // is not known: looks again
    await until(() => did.validated.includes('b') && did.validated.includes('a'), 'both');
    await until(() => saves === 1, 'a save that fails');
    await monitor.stop();
    assert.deepEqual(saved, ['b']);
    assert.equal(did.logged.length, 4);
  });

  it('forgets companies that are gone, and finds new ones when they are named', async () => {
    const companies = [monitored('a')];
    const { monitor, did } = watched(companies, {
      intervalMs: 3_600_000,
      async validate(name) {
        if (companies.every((one) => one.name !== name)) throw new ColmeiaError('INSTANCE_NOT_FOUND', 'gone');
        return reportOf(name);
      },
    });
    monitor.start();
    await until(() => did.validated.length === 1, 'the first');
    companies.splice(0, 1, monitored('b'));
    monitor.soon('a');
    monitor.soon('b');
    await until(() => did.validated.includes('b'), 'the new one');
    monitor.soon('a');
    await settled(did.validated);
    await monitor.stop();
    assert.equal(did.validated.filter((name) => name === 'b').length, 1);
    assert.deepEqual(did.logged, []);
  });

  it('has saved what a caller asked for when it answers', async () => {
    const { monitor, did } = watched([monitored('a')]);
    assert.equal((await monitor.validate('a')).health, 'healthy');
    assert.deepEqual(
      did.saved.flat().map(({ name }) => name),
      ['a'],
    );
    await monitor.stop();
  });

  it('validates when a file of a company has changed, wherever it lies, and when the folder goes and comes', async () => {
    const instances = temporaryInstances();
    const folder = await layOutCompany(instances, 'acme', 'shop');
    const other = await layOutCompany(instances, 'other');
    const { monitor, did } = watched([monitored('acme', folder), monitored('other', other)], { intervalMs: 3_600_000 });
    const changes: [string, () => void][] = [
      ['a file is changed', () => fs.appendFileSync(path.join(folder, '.env'), 'A=1\n')],
      ['a migration comes', () => fs.writeFileSync(path.join(folder, 'migrations/0001_a.sql'), '')],
      ['a component comes', () => fs.mkdirSync(path.join(folder, 'microservices/new'))],
      ['a file in it comes', () => fs.writeFileSync(path.join(folder, 'microservices/new/component.json'), '')],
      [
        'a file of a component is changed',
        () => fs.appendFileSync(path.join(folder, 'microservices/orders/seeds/customers.sql'), '\n'),
      ],
      ['the folder goes', () => fs.renameSync(folder, `${folder}-away`)],
      ['the folder comes back', () => fs.renameSync(`${folder}-away`, folder)],
      ['a file in it is changed', () => fs.writeFileSync(path.join(folder, 'mcp.json'), '{}')],
    ];
    monitor.start();
    await until(() => did.validated.includes('acme') && did.validated.includes('other'), 'the first validations');
    const others = did.validated.filter((name) => name === 'other').length;
    for (const [what, change] of changes) {
      const before = await settled(did.validated);
      change();
      await until(() => did.validated.length > before, what);
    }
    await settled(did.validated);
    assert.equal(did.validated.filter((name) => name === 'other').length, others);
    await monitor.stop();
    assert.deepEqual(did.logged, []);
  });
});

/** How many there are once no more come. */
async function settled(list: readonly unknown[]): Promise<number> {
  for (let count = -1; count !== list.length;) {
    count = list.length;
    await new Promise((done) => setTimeout(done, 60));
  }
  return list.length;
}
