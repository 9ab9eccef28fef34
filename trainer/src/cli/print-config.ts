// `trainer start --print-config`: every setting with its origin, in a form that `--config` reads back.
import type { CompleteConfig } from '../settings/complete.js';
import type { StartOptions } from '../settings/contract.js';
import { fieldOf, OPTIONS, optionsOf } from '../settings/options.js';
import type { Value } from '../settings/values.js';

/**
 * YAML with the origin of each value as a comment, or with `json` one document
 * `{"batch_size": {"value": 128, "origin": "preset full"}, ...}`. Ends with a line feed.
 */
export function renderConfig(complete: CompleteConfig, options: StartOptions): string {
  const rows = optionsOf('start')
    .filter((name) => OPTIONS[name].sources === undefined)
    .map((name) => {
      const field = fieldOf(name);
      const values: Readonly<Record<string, unknown>> = { ...complete.config, ...options.run, ...options.output };
      const origins: Readonly<Record<string, string>> = { ...options.origins, ...complete.origins };
      return { name, value: values[field] as Value, origin: origins[field] ?? 'default' };
    });
  if (options.output.json) {
    const document = rows.map(({ name, value, origin }) => [name.replaceAll('-', '_'), { value, origin }]);
    return `${JSON.stringify(Object.fromEntries(document), null, 2)}\n`;
  }
  const settings = rows.map(({ name, value }) => `${name}: ${scalar(value)}`);
  const width = Math.min(36, Math.max(...settings.map((setting) => setting.length)));
  return rows.map(({ origin }, i) => `${settings[i]!.padEnd(width)}  # ${origin}\n`).join('');
}

/** JSON is YAML: only words that no YAML reader takes for anything else stay without quotes. */
function scalar(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(scalar).join(', ')}]`;
  const plain =
    typeof value === 'string' && /^[A-Za-z][\w./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}
