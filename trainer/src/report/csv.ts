// metrics.csv: the records of metrics.jsonl as a table, for spreadsheets and data frames.
// One row per step, one column per `<model>/<name>` (`resnet/train/loss`), empty where a step has no such value.
import type { MetricRecord } from '@trainer/protocol';

const MODEL_ORDER: readonly MetricRecord['model'][] = ['resnet', 'plain', 'gap'];

type Records = Iterable<MetricRecord> | AsyncIterable<MetricRecord>;

/**
 * The table's text, row by row. `records` is read twice (columns first), so it is a function; its records stand in
 * order of their steps. A row's time is that of its latest record; of two values of one column, the later counts.
 */
export async function* metricsCsv(records: () => Records): AsyncGenerator<string> {
  const columns = await columnNames(records());
  yield line(['step', 'epoch', 'time', ...columns]);
  const index = new Map(columns.map((column, at) => [column, at]));
  let current: MetricRecord | undefined;
  let cells: string[] = [];
  const row = ({ step, epoch, time }: MetricRecord): string => line([`${step}`, `${epoch}`, `${time}`, ...cells]);
  for await (const record of records()) {
    if (current === undefined || current.step !== record.step) {
      if (current !== undefined) yield row(current);
      cells = columns.map(() => '');
    }
    current = record;
    cells[index.get(columnOf(record))!] = `${record.value}`;
  }
  if (current !== undefined) yield row(current);
}

async function columnNames(records: Records): Promise<string[]> {
  const names = new Map<string, Set<string>>(MODEL_ORDER.map((model) => [model, new Set()]));
  for await (const record of records) names.get(record.model)!.add(columnOf(record));
  return MODEL_ORDER.flatMap((model) => [...names.get(model)!].sort());
}

const columnOf = ({ model, name }: MetricRecord): string => `${model}/${name}`;

/** RFC 4180: cells with a comma, quote or line break are quoted. */
const line = (cells: readonly string[]): string =>
  `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`;
