import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventParser } from './event-stream.ts';

describe('EventParser', () => {
  it('reads the same events however the stream is cut, with all three line ends', () => {
    const text =
      'retry: 2000\n\n: comment\nid: a:1\nevent: ticket.leased\ndata: {"x":1}\ndata: more\n\r\nid: a:2\r\ndata:é\r\n\r\nid\rdata: last\r\r';
    const whole = new EventParser().push(`${text}\n`);
    assert.deepEqual(whole, [
      { id: 'a:1', event: 'ticket.leased', data: '{"x":1}\nmore' },
      { id: 'a:2', event: 'message', data: 'é' },
      { id: '', event: 'message', data: 'last' },
    ]);
    for (let size = 1; size < 9; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      assert.deepEqual([...events, ...parser.push('\n')], whole, `in pieces of ${size}`);
    }
  });

  it('gives nothing for an event that is not finished', () => {
    assert.deepEqual(new EventParser().push('data: half'), []);
  });
});
