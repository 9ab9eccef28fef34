// TensorBoard's event files, written without TensorFlow: Event messages in TFRecord frames.
// Messages: tensorboard/compat/proto/{event,summary}.proto; frames: tensorflow.org/tutorials/load_data/tfrecord
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import crc32c from 'crc-32/crc32c.js';

/** Scalars of one step. `time` is Unix seconds. */
export interface ScalarEvent {
  readonly step: number;
  readonly time: number;
  readonly values: readonly (readonly [tag: string, value: number])[];
}

/** Field numbers of the messages. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2 } as const;
const SESSION_LOG = { status: 1, START: 1 } as const;

/** The name by which TensorBoard finds the file; those of one folder are read in order of `seconds` (Unix). */
export const eventFileName = (seconds: number, host: string, pid: number): string =>
  `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, '0')}.${host.replace(/[^\w.-]/g, '_')}.${pid}.0`;

/** The first record of every file. */
export const versionRecord = (time: number): Uint8Array =>
  frame(event(time).tag(EVENT.fileVersion, 2).string('brain.Event:2').finish());

/** Says that training went on from `step` completed steps: TensorBoard drops what earlier files say of later steps. */
export function resumeRecord(time: number, step: number): Uint8Array {
  const log = new BinaryWriter().tag(SESSION_LOG.status, 0).int32(SESSION_LOG.START).finish();
  // Dropped are steps from the event's own on, so it carries the first that will come again.
  const message = event(time)
    .tag(EVENT.step, 0)
    .int64(step + 1);
  return frame(message.tag(EVENT.sessionLog, 2).bytes(log).finish());
}

/** One record with all scalars of a step. Values are rounded to float32. */
export function scalarRecord({ step, time, values }: ScalarEvent): Uint8Array {
  const summary = new BinaryWriter();
  for (const [tag, value] of values) {
    const message = new BinaryWriter().tag(VALUE.tag, 2).string(tag).tag(VALUE.simpleValue, 5).float(Math.fround(value));
    summary.tag(SUMMARY.value, 2).bytes(message.finish());
  }
  return frame(event(time).tag(EVENT.step, 0).int64(step).tag(EVENT.summary, 2).bytes(summary.finish()).finish());
}

const event = (time: number): BinaryWriter => new BinaryWriter().tag(EVENT.wallTime, 1).double(time);

/** TFRecord: length (uint64), its masked CRC, data, its masked CRC. */
export function frame(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return bytes;
}

/** A CRC of data that contains CRCs is weak; TFRecord therefore rotates and shifts them. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c.buf(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
