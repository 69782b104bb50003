import { ColmeiaError } from '../errors.ts';
import { AvroError, compileReader } from './avro-reader.ts';
import { compileWriter } from './avro-writer.ts';
import { listFaults } from './find-faults.ts';
import { RECORDS, type RecordName, type Records } from './generated/records.ts';
import { checkRecord } from './parse-record.ts';

/** Magic byte 0 and a schema id of four bytes, most significant first (Confluent wire format). */
const HEADER_LENGTH = 5;
const LARGEST_ID = 2 ** 32 - 1;

/**
 * A record as Avro binary; with a `schemaId` (a whole number of 32 bits), in the Confluent wire format.
 * Left-out optional fields get their defaults, unknown ones are left out.
 * Throws INVALID_REQUEST with every fault when the record breaks its contract.
 */
export function encodeAvro<Name extends RecordName>(name: Name, record: Records[Name], schemaId?: number): Buffer {
  if (schemaId !== undefined && !(Number.isInteger(schemaId) && schemaId >= 0 && schemaId <= LARGEST_ID)) {
    throw new ColmeiaError('INVALID_REQUEST', `a schema id must be a whole number from 0 to ${LARGEST_ID}`);
  }
  const valid = validRecord(name, record);
  if (schemaId === undefined) return writerOf(name)(valid, 0);
  const bytes = writerOf(name)(valid, HEADER_LENGTH);
  bytes[0] = 0;
  bytes.writeUInt32BE(schemaId, 1);
  return bytes;
}

/** How the sender wrote the bytes, and with which schema. */
export type DecodeOptions = {
  /** The Avro schema (as JSON) that the bytes were written with; default: ours. Pass the same object again: its reader is kept. */
  writerSchema?: object;
  /**
   * `auto` (default) takes a Confluent header for one when what follows it is a whole record, else reads plain Avro.
   * A plain record may begin with a byte 0 too, so say `confluent` or `plain` where it is known.
   */
  framing?: 'auto' | 'confluent' | 'plain';
};

/** A record, and the id of its schema when there was a Confluent header. */
export type DecodedAvro<Name extends RecordName> = { record: Records[Name]; schemaId: number | null };

/**
 * Reads a record from Avro binary. With a writer schema, fields are matched by name: unknown ones are left out, missing
 * ones get their defaults, numbers may be of a smaller type. Aliases are not followed.
 * Throws INVALID_REQUEST for bytes that are no such record, with the faults when it could be read but breaks its contract.
 */
export function decodeAvro<Name extends RecordName>(
  name: Name,
  bytes: Uint8Array,
  { writerSchema, framing = 'auto' }: DecodeOptions = {},
): DecodedAvro<Name> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const schema = writerSchema ?? (RECORDS[name].avro as object);
  const id = framing === 'plain' ? null : schemaIdOf(buffer);
  if (framing === 'confluent' && id === null) throw unreadable(name, 'it has no Confluent header');
  const starts = framing === 'confluent' ? [HEADER_LENGTH] : startsOf(id);
  let failure: ColmeiaError | undefined;
  for (const start of starts) {
    try {
      return { record: readRecord(name, schema, buffer, start), schemaId: start === 0 ? null : id };
    } catch (error) {
      if (!(error instanceof ColmeiaError)) throw error;
      failure ??= error;
    }
  }
  throw failure!;
}

/** The schema id of a Confluent header, or null when the bytes do not begin with one. Plain Avro may look like one. */
export function schemaIdOf(bytes: Uint8Array): number | null {
  if (bytes.length <= HEADER_LENGTH || bytes[0] !== 0) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset, HEADER_LENGTH).readUInt32BE(1);
}

/** Registries count from 1, so an id of 0 is more likely the start of a plain record. */
function startsOf(id: number | null): number[] {
  if (id === null) return [0];
  return id === 0 ? [0, HEADER_LENGTH] : [HEADER_LENGTH, 0];
}

function readRecord<Name extends RecordName>(name: Name, schema: object, bytes: Buffer, start: number): Records[Name] {
  let value: unknown;
  try {
    value = readerOf(schema)(bytes, start);
  } catch (error) {
    if (error instanceof AvroError) throw unreadable(name, error.message);
    throw error;
  }
  return validRecord(name, value);
}

function validRecord<Name extends RecordName>(name: Name, value: unknown): Records[Name] {
  const checked = checkRecord(name, value);
  if (checked.record !== null) return checked.record;
  throw new ColmeiaError('INVALID_REQUEST', `this ${name} breaks its contract`, { faults: listFaults(checked) });
}

function unreadable(name: RecordName, reason: string): ColmeiaError {
  return new ColmeiaError('INVALID_REQUEST', `these bytes are no ${name} in Avro: ${reason}`);
}

const readers = new WeakMap<object, ReturnType<typeof compileReader>>();
const writers = new Map<RecordName, ReturnType<typeof compileWriter>>();

function readerOf(schema: object): ReturnType<typeof compileReader> {
  let reader = readers.get(schema);
  if (!reader) readers.set(schema, (reader = compileReader(schema)));
  return reader;
}

function writerOf(name: RecordName): ReturnType<typeof compileWriter> {
  let writer = writers.get(name);
  if (!writer) writers.set(name, (writer = compileWriter(RECORDS[name].avro)));
  return writer;
}
