import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamedEvent } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import type { Open } from '../flow/place.ts';
import { chainOf } from '../flow/sample-decision.ts';
import { refused, SampleCompany } from '../flow/sample-company.ts';
import { completed } from './life.conformance.ts';

const NO_EXPORT = { export: false };

/** That a company which is deleted is gone, whatever it was doing. */
export function deletionConformance(open: Open): void {
  describe('deleting a company', () => {
    test('it asks for the name again, and is the business of operators', async () => {
      const { colmeia, name, who } = await SampleCompany.found(open());
      await refused(colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: 'anything' }), 'INVALID_REQUEST');
      await refused(colmeia.instances.remove(who, name, { confirm: name }), 'FORBIDDEN');
      assert.equal((await colmeia.instances.get(who, name)).state, 'active');
    });

    test('nothing of it is found afterwards, and the fleet’s journal says what went', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name } = company;
      await company.agent('worker');
      await company.submit('done', chainOf('a', 'b'));
      await company.work('done', 'worker');
      await company.submit('open', chainOf('c', 'd'));
      const { ticket_id } = await company.ticket('open', 'c');
      await colmeia.instances.owners.add(LOCAL_OPERATOR, name, 'user:ana@acme.example');
      const { result } = await completed(
        colmeia,
        colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, ...NO_EXPORT }),
      );
      const rows = result!.rows as Record<string, number>;
      assert.deepEqual([rows.plan, rows.ticket, rows.agent, rows.api_key, rows.instance], [2, 4, 1, 1, 1]);
      await refused(colmeia.instances.get(LOCAL_OPERATOR, name), 'INSTANCE_NOT_FOUND');
      assert.equal(await colmeia.keys.authenticate(company.key), null);
      await refused(colmeia.tickets.get(LOCAL_OPERATOR, ticket_id), 'TICKET_NOT_FOUND');
      assert.deepEqual((await colmeia.plans.list(LOCAL_OPERATOR, { instance: name })).items, []);
      assert.deepEqual((await colmeia.agents.list(LOCAL_OPERATOR, { instance: name })).items, []);
      assert.deepEqual((await colmeia.audit.list(LOCAL_OPERATOR, { instance: name })).items, []);
      const said = await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'instance.deleted' });
      const event = said.items.find(({ data }) => data?.name === name);
      assert.deepEqual(event?.data?.rows, rows);
      assert.match((event!.data!.chain as { hash: string }).hash, /^[0-9a-f]{64}$/);
      await colmeia.instances.create(LOCAL_OPERATOR, { name });
      const stats = await colmeia.instances.stats(LOCAL_OPERATOR, name);
      assert.deepEqual([stats.plans_received, stats.keys, stats.agents], [0, 0, 0], 'the next one begins with nothing');
    });

    test('the next company of its name sees and counts its own events only, from the first on', async () => {
      const first = await SampleCompany.found(open());
      const { colmeia, name } = first;
      const everything: StreamedEvent[] = [];
      const stop = await colmeia.events.subscribe(LOCAL_OPERATOR, {}, (event) => void everything.push(event));
      await first.agent('worker');
      for (let i = 0; i < 5; i++) {
        await first.submit(`old-${i}`, chainOf('a', 'b'));
        await first.work(`old-${i}`, 'worker');
      }
      await completed(colmeia, colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, ...NO_EXPORT }));
      await colmeia.instances.create(LOCAL_OPERATOR, { name });
      const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: name });
      const next = await SampleCompany.at(colmeia, name, key);
      const own: StreamedEvent[] = [];
      const stopOwn = await colmeia.events.subscribe(next.who, {}, (event) => void own.push(event));
      await next.agent('worker');
      await next.submit('new', chainOf('a'));
      await next.work('new', 'worker');
      const isEnd = (events: readonly StreamedEvent[]): boolean =>
        events.some(({ instance, type, plan }) => instance === name && type === 'plan.completed' && plan === 'new');
      await next.until('its events', async () => isEnd(own) && isEnd(everything), Boolean);
      stop();
      stopOwn();
      assert.deepEqual(
        own.filter(({ plan }) => plan?.startsWith('old')),
        [],
      );
      const stats = await next.until(
        'its figures',
        () => colmeia.instances.stats(next.who, name),
        ({ plans_completed }) => plans_completed > 0,
      );
      assert.deepEqual([stats.plans_received, stats.tickets_completed], [1, 1]);
      assert.deepEqual((await colmeia.agents.usage(next.who, {})).items, []);
      assert.deepEqual((await colmeia.instances.operations(next.who, {})).items, [], 'nor what was done to the other');
      const kept = await colmeia.instances.operations(LOCAL_OPERATOR, { instance: name });
      assert.deepEqual(
        kept.items.map(({ kind }) => kind),
        ['create', 'delete'],
        'operators see that there was one before',
      );
    });

    test('under load its plans are cancelled, results that come late find nothing, and no row is left', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name } = company;
      await company.agent('worker', { concurrency: 8 });
      for (let i = 0; i < 20; i++) await company.submit(`p${i}`, chainOf('a', 'b', 'c'));
      let isGone = false;
      let late = 0;
      const agents = Array.from({ length: 4 }, async () => {
        while (!isGone) {
          try {
            for (const lease of await company.lease('worker', 2, 100)) {
              await sleep(20);
              await company.complete(lease);
            }
          } catch (error) {
            late++;
            assert.ok(isColmeiaError(error) && error.code !== 'INTERNAL', `an agent got ${String(error)}`);
            await sleep(10);
          }
        }
      });
      const submits = (async () => {
        for (let i = 20; !isGone; i++) {
          await company.submit(`p${i}`, chainOf('a')).catch((error: unknown) => {
            assert.ok(isColmeiaError(error) && error.code !== 'INTERNAL', `a caller got ${String(error)}`);
          });
          await sleep(5);
        }
      })();
      await sleep(150);
      const { result } = await completed(
        colmeia,
        colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, ...NO_EXPORT }),
      );
      await sleep(300); // results on their way
      isGone = true;
      await Promise.all([...agents, submits]);
      assert.ok(late > 0, 'the agents were cut off in their work');
      assert.ok((result!.rows as Record<string, number>).plan! >= 20);
      await colmeia.instances.create(LOCAL_OPERATOR, { name });
      const again = await SampleCompany.at(
        colmeia,
        name,
        (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: name })).key,
      );
      assert.deepEqual((await colmeia.plans.list(again.who, {})).items, []);
      await again.submit('fresh', chainOf('a'));
      await again.agent('worker');
      await again.work('fresh', 'worker');
      const [verdict] = await colmeia.audit.verify(again.who, {});
      assert.equal(verdict?.ok, true, verdict?.fault ?? '');
    });

    test('while it is being deleted it takes no work, cannot be changed, and other companies go on', async () => {
      const [going, staying] = [await SampleCompany.found(open()), await SampleCompany.found(open())];
      const { colmeia, name } = going;
      await going.agent('worker');
      await going.submit('runs', chainOf('a'));
      const lease = await going.leaseOne('worker'); // it will not heed its stop at once
      const operation = await colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, ...NO_EXPORT });
      await going.until(
        'the state',
        () => colmeia.instances.get(LOCAL_OPERATOR, name),
        ({ state }) => state === 'deleting',
      );
      await refused(going.submit('more', chainOf('a')), 'INSTANCE_STATE');
      await refused(colmeia.instances.resume(LOCAL_OPERATOR, name, {}), 'INSTANCE_STATE');
      await refused(colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name }), 'INSTANCE_BUSY');
      await refused(colmeia.instances.rename(LOCAL_OPERATOR, name, { to: 'elsewhere' }), 'INSTANCE_STATE');
      await staying.agent('worker');
      await staying.submit('goes', chainOf('a', 'b'));
      await staying.work('goes', 'worker');
      assert.equal((await colmeia.instances.get(LOCAL_OPERATOR, name)).operation?.id, operation.id);
      await going.complete(lease).catch((error: unknown) => assert.ok(isColmeiaError(error), String(error)));
      await completed(colmeia, Promise.resolve(operation));
    });
  });
}
