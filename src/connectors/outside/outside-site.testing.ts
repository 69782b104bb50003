import { afterEach, beforeEach } from 'node:test';
import { type FakeServer, startFakeServer } from '../../../test/fakes/fake-http-server.ts';
import type { FakeAnswer } from '../../../test/fakes/faults.ts';
import { systemClock } from '../../platform/clock.ts';
import type { OutsideCall } from './outside-call.ts';
import { openSite, type OutsideSite, type OutsideSiteOptions } from './outside-site.ts';

export const TOKEN = 'sbp_0123456789abcdef';

export type FakeSite = {
  server: FakeServer;
  /** To every call that meets no fault. */
  answer: FakeAnswer;
  audit: OutsideCall[];
  /** A site at the server, with next to no waits. */
  open(more?: Partial<OutsideSiteOptions>): OutsideSite;
  /** Closed after the test. */
  opened: { close(): Promise<void> }[];
};

/** A server on this machine for each test of the file, and sites that are open towards it. */
export function useFakeSite(): FakeSite {
  const audit: OutsideCall[] = [];
  const opened: FakeSite['opened'] = [];
  const open: FakeSite['open'] = (more = {}) => {
    const site = openSite({
      name: 'supabase',
      baseUrl: fake.server.url,
      authorize: async () => ({ authorization: `Bearer ${TOKEN}` }),
      ratePerMinute: 60_000,
      retryBaseMs: 1,
      clock: systemClock,
      random: () => 0,
      audit: (call) => audit.push(call),
      ...more,
    });
    opened.push(site);
    return site;
  };
  const fake = { audit, opened, open, answer: { status: 200 } } as unknown as FakeSite;
  beforeEach(async () => {
    fake.answer = { status: 200, body: { ok: true } };
    audit.length = 0;
    fake.server = await startFakeServer(() => fake.answer);
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await fake.server.close();
  });
  return fake;
}
