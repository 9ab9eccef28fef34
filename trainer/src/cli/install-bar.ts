// The progress of an installation: a bar that is redrawn on a terminal, a plain line now and then elsewhere.
import type { InstallProgress } from '../runtime/library.js';
import type { Io } from './io.js';
import { createStyle, isInteractive } from './style.js';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 30_000;
const CELLS = 24;
const LABELS = { download: 'downloading', unpack: 'unpacking' } as const;

export class InstallBar {
  readonly #io: Io;
  readonly #redraws: boolean;
  readonly #cells: { readonly full: string; readonly empty: string };
  #what: InstallProgress['what'] | undefined;
  #began = 0;
  #drawn = 0;

  constructor(io: Io, progress: boolean) {
    this.#io = io;
    this.#redraws = progress && isInteractive(io.stderr, io.env);
    this.#cells = createStyle(io.stderr, io.env, 'never').glyph;
  }

  update(progress: InstallProgress, now = performance.now()): void {
    if (progress.what !== this.#what) {
      this.end();
      this.#what = progress.what;
      this.#began = now;
      this.#drawn = this.#redraws ? 0 : now;
    }
    if (now - this.#drawn < (this.#redraws ? REDRAW_MS : PLAIN_LINE_MS)) return;
    this.#drawn = now;
    const text = this.#text(progress, (now - this.#began) / 1000);
    this.#io.stderr.write(this.#redraws ? `\r\x1b[K${text}` : `${text}\n`);
  }

  /** Wipes the bar; what follows stands on a line of its own. */
  end(): void {
    if (this.#redraws && this.#what) this.#io.stderr.write('\r\x1b[K');
    this.#what = undefined;
  }

  #text({ what, doneMegabytes, totalMegabytes }: InstallProgress, seconds: number): string {
    const share = totalMegabytes > 0 ? Math.min(1, doneMegabytes / totalMegabytes) : 1;
    const full = Math.round(share * CELLS);
    const bar = this.#cells.full.repeat(full) + this.#cells.empty.repeat(CELLS - full);
    const left = share > 0 && seconds > 0 ? Math.round((seconds * (1 - share)) / share) : undefined;
    const speed = seconds > 0 ? `${Math.round(doneMegabytes / seconds)} MB/s` : '';
    const rest = left === undefined ? '' : `, ${left} s left`;
    return `${LABELS[what]} ${bar} ${Math.round(doneMegabytes)}/${Math.round(totalMegabytes)} MB, ${speed}${rest}`;
  }
}
