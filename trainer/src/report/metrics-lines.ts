// One line of metrics.jsonl, to and from text. JSON has no NaN, so a value that is not finite is written as null.
import { type MetricName, type MetricRecord, SIDES } from '@trainer/protocol';

const MODELS: ReadonlySet<unknown> = new Set([...SIDES, 'gap']);

/** The record as one line, newline included. */
export const encodeMetric = (record: MetricRecord): string => {
  const { step, epoch, time, model, name, value } = record;
  return `${JSON.stringify({ step, epoch, time, model, name, value })}\n`;
};

/** The record of a line; undefined where the line is not one (torn by a crash, edited by hand). null is read as NaN. */
export function decodeMetric(line: string): MetricRecord | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { step, epoch, time, model, name, value } = parsed as Record<string, unknown>;
  if (!isCount(step) || !isCount(epoch) || typeof time !== 'number' || typeof name !== 'string') return undefined;
  if (!MODELS.has(model) || (typeof value !== 'number' && value !== null)) return undefined;
  return {
    step,
    epoch,
    time,
    model: model as MetricRecord['model'],
    name: name as MetricName,
    value: value ?? Number.NaN,
  };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
