// How the report writes numbers, durations and commands.

/** What stands for a value that was not measured. */
const NONE = '–';

/** `42.0%`; a dash for null. */
export const percent = (value: number | null): string => (value === null ? NONE : `${value.toFixed(1)}%`);

/** `+7.9`, `−0.4`: with its sign, always; a dash for null. */
export function signed(value: number | null, digits = 1): string {
  if (value === null) return NONE;
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value > 0 ? '+' : '−'}${text}`;
}

/** `272,474`; a dash for null. */
export const count = (value: number | null): string => (value === null ? NONE : Math.round(value).toLocaleString('en-US'));

/** Three digits and a unit: `81.6 M`, `1.11 G`. */
export function large(value: number): string {
  const [size, unit] = (
    [
      [1e12, 'T'],
      [1e9, 'G'],
      [1e6, 'M'],
      [1e3, 'k'],
    ] as const
  ).find(([size]) => value >= size) ?? [1, ''];
  return `${Number((value / size).toPrecision(3))} ${unit}`.trim();
}

/** `3:41`, `1:02:07`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A command line that a shell reads as these words. */
export const commandLine = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
