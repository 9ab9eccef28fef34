// The progress line as text: a pure function of where training stands, the style and the width. terminal.ts decides when.

import type { Position, SideProgress, TrainingEvent } from '@trainer/protocol';
import { SIDE_NAMES } from './sides.js';
import type { Style } from './style.js';
import { clockTime, percent, signed } from './text.js';

type Sides = Extract<TrainingEvent, { type: 'step' }>['sides'];

export interface ProgressState {
  readonly position: Position;
  readonly sides: Sides;
  readonly imagesPerSec: number;
  /** Of the whole run. */
  readonly etaSeconds: number;
  /** Since this epoch began (or the run went on within it). */
  readonly epochSeconds: number;
  /** Steps of this epoch done before that. */
  readonly skippedSteps: number;
  readonly phase: 'training' | 'validation' | 'checkpoint' | 'paused';
}

/** A piece of the line. The lowest `keep` goes first where the line is too long; Infinity stays. */
interface Part {
  readonly keep: number;
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
  /** Opens with the dot instead of a space. */
  readonly dot?: true;
}

const BAR = 12;
const PHASES = { validation: 'validating', checkpoint: 'saving', paused: 'paused' } as const;

/** `epoch 7/50 ━━━━━━━━──── 312/391 0:41<0:10 974 img/s · resnet 0.412 87.1% · ...`, without what `width` has no room for. */
export function progressLine(state: ProgressState, style: Style, width: number): string {
  const { position, phase } = state;
  const { stepInEpoch, stepsPerEpoch } = position;
  return assemble(
    [
      epochPart(position),
      bar(stepInEpoch / stepsPerEpoch, style),
      { keep: 3, text: `${stepInEpoch}/${stepsPerEpoch}` },
      ...(phase === 'training' ? pace(state) : [{ keep: 8, text: PHASES[phase] }]),
      ...sideParts(state.sides, style, 'progress'),
      etaPart(state.etaSeconds),
    ],
    style,
    width,
  );
}

/** An epoch that is over, and how long it took, validation included. */
export type EpochState = Omit<ProgressState, 'skippedSteps' | 'phase'>;

/** The line that stays when an epoch is over: its time, and validation accuracy too. */
export function epochLine(state: EpochState, style: Style, width: number): string {
  const done = state.position.step >= state.position.steps;
  return assemble(
    [
      epochPart(state.position),
      { keep: 4, text: clockTime(state.epochSeconds) },
      { keep: 3, text: `${Math.round(state.imagesPerSec)} img/s` },
      ...sideParts(state.sides, style, 'epoch'),
      ...(done ? [] : [etaPart(state.etaSeconds)]),
    ],
    style,
    width,
  );
}

const epochPart = ({ epoch, epochs }: Position): Part => ({ keep: Number.POSITIVE_INFINITY, text: `epoch ${epoch}/${epochs}` });

const etaPart = (seconds: number): Part => ({ keep: 6, dot: true, text: `run ETA ${clockTime(seconds)}` });

/** `share` of 1 as a bar. */
export function bar(share: number, { glyph, paint }: Style): Part {
  const full = Math.max(0, Math.min(BAR, Math.floor(share * BAR)));
  return {
    keep: 5,
    text: glyph.full.repeat(full) + glyph.empty.repeat(BAR - full),
    paint: (text) => text.slice(0, full) + paint.dim(text.slice(full)),
  };
}

function pace({ position, epochSeconds, skippedSteps, imagesPerSec }: ProgressState): Part[] {
  const done = position.stepInEpoch - skippedSteps;
  const left = position.stepsPerEpoch - position.stepInEpoch;
  const remaining = done > 0 ? (epochSeconds / done) * left : Number.NaN;
  return [
    { keep: 2, text: `${clockTime(epochSeconds)}<${clockTime(remaining)}` },
    { keep: 4, text: `${Math.round(imagesPerSec)} img/s` },
  ];
}

function sideParts(sides: Sides, { paint }: Style, of: 'progress' | 'epoch'): Part[] {
  const parts = SIDE_NAMES.flatMap((side): Part[] => {
    const progress = sides[side];
    if (progress === undefined) return [];
    return [
      { keep: Number.POSITIVE_INFINITY, dot: true, text: side, paint: paint[side] },
      { keep: 1, text: progress.loss.toFixed(3) },
      { keep: Number.POSITIVE_INFINITY, text: percent(progress.accuracy) },
      ...(of === 'epoch' ? validationPart(progress) : []),
    ];
  });
  const { resnet, plain } = sides;
  return resnet && plain ? [...parts, { keep: 7, dot: true, text: `gap ${signed(resnet.accuracy - plain.accuracy)}` }] : parts;
}

const validationPart = ({ valAccuracy }: SideProgress): Part[] =>
  valAccuracy === undefined ? [] : [{ keep: 2, text: `val ${percent(valAccuracy)}` }];

/** Joins the parts, leaving out the least important ones that do not fit `width`. */
export function assemble(parts: readonly Part[], { glyph, paint }: Style, width: number): string {
  const separator = ({ dot }: Part, i: number): string => (i === 0 ? '' : dot ? ` ${glyph.dot} ` : ' ');
  let kept = parts;
  const length = (): number => kept.reduce((sum, part, i) => sum + separator(part, i).length + part.text.length, 0);
  while (length() > width) {
    const least = Math.min(...kept.map((part) => part.keep));
    if (least === Number.POSITIVE_INFINITY) return cut(kept.map((part, i) => separator(part, i) + part.text).join(''), width);
    kept = kept.filter((part) => part.keep > least);
  }
  return kept
    .map((part, i) => (part.dot ? paint.dim(separator(part, i)) : separator(part, i)) + (part.paint?.(part.text) ?? part.text))
    .join('');
}

const cut = (line: string, width: number): string => line.slice(0, Math.max(0, width));
