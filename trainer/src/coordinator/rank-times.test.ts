import { expect, it } from 'vitest';
import { RankTimeMeans } from './rank-times.js';

it('are means over the steps since they were last taken, by side and rank', () => {
  const means = new RankTimeMeans();
  means.add('resnet', [{ computeMs: 10, waitMs: 4 }, { computeMs: 14 }]);
  means.add('plain', [{ computeMs: 100 }, { computeMs: 100 }]);
  means.add('resnet', [{ computeMs: 20, waitMs: 2 }, { computeMs: 22 }]);
  expect(means.take('resnet')).toEqual([{ computeMs: 15, waitMs: 3 }, { computeMs: 18 }]);
  means.add('resnet', [{ computeMs: 1 }, { computeMs: 2 }]);
  expect(means.take('resnet')).toEqual([{ computeMs: 1 }, { computeMs: 2 }]);
  expect(means.take('plain')).toEqual([{ computeMs: 100 }, { computeMs: 100 }]);
});
