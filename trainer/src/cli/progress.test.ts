import { describe, expect, test } from 'vitest';
import { epochLine, type ProgressState, progressLine } from './progress.js';
import { createStyle, PLAIN_STYLE } from './style.js';

const state: ProgressState = {
  position: { epoch: 7, epochs: 50, step: 2658, steps: 19_550, stepInEpoch: 312, stepsPerEpoch: 391 },
  sides: { resnet: { loss: 0.412, accuracy: 87.1 }, plain: { loss: 0.655, accuracy: 79.8 } },
  imagesPerSec: 974.4,
  etaSeconds: 402,
  epochSeconds: 41,
  skippedSteps: 0,
  phase: 'training',
};
const line = (changes: Partial<ProgressState> = {}, width = Number.POSITIVE_INFINITY): string =>
  progressLine({ ...state, ...changes }, PLAIN_STYLE, width);

test('the progress line says it all in one line', () => {
  expect(line()).toBe(
    'epoch 7/50 ━━━━━━━━━─── 312/391 0:41<0:10 974 img/s · resnet 0.412 87.1% · plain 0.655 79.8% · gap +7.3 · run ETA 6:42',
  );
});

test('one model alone has no gap', () => {
  expect(line({ sides: { plain: { loss: 0.655, accuracy: 79.8 } } })).toContain('img/s · plain 0.655 79.8% · run ETA 6:42');
});

test('a plain net that is ahead shows as a negative gap', () => {
  const sides = { resnet: { loss: 1, accuracy: 50 }, plain: { loss: 1, accuracy: 51.5 } };
  expect(line({ sides })).toContain(' · gap -1.5 · ');
});

test('the rest of the epoch is told from the steps of this process', () => {
  // 12 steps in 6 seconds, 79 to go.
  expect(line({ skippedSteps: 300, epochSeconds: 6 })).toContain(' 0:06<0:40 ');
});

test('before the first step nothing is known of the rest', () => {
  const text = line({ position: { ...state.position, stepInEpoch: 0 }, epochSeconds: 0, etaSeconds: Number.NaN });
  expect(text).toContain('──────────── 0/391 0:00<-:-- ');
  expect(text).toContain('run ETA -:--');
});

test('validation and saving show instead of the pace', () => {
  expect(line({ phase: 'validation' })).toContain(' 312/391 validating · resnet ');
  expect(line({ phase: 'checkpoint' })).toContain(' 312/391 saving · resnet ');
});

describe('a narrow terminal', () => {
  test.each([
    [110, 'epoch 7/50 ━━━━━━━━━─── 312/391 0:41<0:10 974 img/s · resnet 87.1% · plain 79.8% · gap +7.3 · run ETA 6:42'],
    [79, 'epoch 7/50 ━━━━━━━━━─── · resnet 87.1% · plain 79.8% · gap +7.3 · run ETA 6:42'],
    [70, 'epoch 7/50 · resnet 87.1% · plain 79.8% · gap +7.3 · run ETA 6:42'],
    [50, 'epoch 7/50 · resnet 87.1% · plain 79.8% · gap +7.3'],
    [40, 'epoch 7/50 · resnet 87.1% · plain 79.8%'],
    [20, 'epoch 7/50 · resnet '],
  ])('of %i columns keeps what matters most', (width, text) => {
    expect(line({}, width)).toBe(text);
  });

  test('of any width is never overrun', () => {
    for (let width = 0; width <= 130; width++) expect(line({}, width).length).toBeLessThanOrEqual(width);
  });
});

test('colours change nothing but the colour', () => {
  const colored = createStyle({ write: () => true }, {}, 'always');
  const painted = progressLine(state, colored, 79);
  expect(painted).toContain('\x1b[');
  expect(painted.replace(/\x1b\[\d+m/g, '')).toBe(line({}, 79));
});

test('a locale without Unicode gets ASCII', () => {
  const text = progressLine(state, createStyle({ write: () => true }, { LANG: 'C' }, 'never'), Number.POSITIVE_INFINITY);
  expect(text).toMatch(/^[ -~]+$/);
  expect(text).toContain('epoch 7/50 =========--- 312/391');
});

test('an epoch that is over shows its time and validation', () => {
  const sides = {
    resnet: { loss: 0.412, accuracy: 87.1, valAccuracy: 85 },
    plain: { loss: 0.655, accuracy: 79.8, valAccuracy: 79 },
  };
  expect(epochLine({ ...state, sides, epochSeconds: 51 }, PLAIN_STYLE, Number.POSITIVE_INFINITY)).toBe(
    'epoch 7/50 0:51 974 img/s · resnet 0.412 87.1% val 85.0% · plain 0.655 79.8% val 79.0% · gap +7.3 · run ETA 6:42',
  );
});

test('after the last epoch there is nothing to wait for', () => {
  const position = { ...state.position, step: state.position.steps };
  expect(epochLine({ ...state, position }, PLAIN_STYLE, Number.POSITIVE_INFINITY)).not.toContain('ETA');
});
