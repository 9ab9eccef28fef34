// Numbers as people read them.

/** "0:41", "6:42", "1:02:03"; "-:--" where it is not known. */
export function clockTime(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-:--';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const padded = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${padded(m)}:${padded(s)}` : `${m}:${padded(s)}`;
}

/** "11,173,962". */
export const grouped = (n: number): string => Math.round(n).toLocaleString('en-US');

/** "87.1%". */
export const percent = (n: number): string => `${n.toFixed(1)}%`;

/** "+7.3", "-0.4", and "+0.0" for what rounds to nothing. */
export const signed = (n: number): string => {
  const text = n.toFixed(1);
  return text.startsWith('-') ? (Number(text) === 0 ? '+0.0' : text) : `+${text}`;
};
