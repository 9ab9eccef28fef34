// From single runs to ratios: the median over the rounds of each contestant, and ours against the best of the others.

const OURS = 'trainer';

/** @param {number[]} values not empty */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const round = (value, digits) => Number(value.toFixed(digits));

/**
 * One entry per case, in the order of the runs. `ratio` is the median over the rounds of ours divided by that round's best
 * rival: a round lasts minutes, a machine's moods longer.
 * @param {{ depth: number, precision: string, name: string, round: number, result: Record<string, number> }[]} runs
 */
export function summarize(runs) {
  const titles = [...new Set(runs.map(({ depth, precision }) => `${depth} ${precision}`))];
  return titles.map((title) => {
    const ofCase = runs.filter(({ depth, precision }) => `${depth} ${precision}` === title);
    const names = [...new Set(ofCase.map((r) => r.name))];
    const engines = names.map((name) => {
      const results = ofCase.filter((r) => r.name === name).map((r) => r.result);
      return {
        name,
        images_per_sec_median: round(median(results.map((r) => r.images_per_sec_median)), 1),
        images_per_sec_best: Math.max(...results.map((r) => r.images_per_sec_best)),
        peak_rss_mb: Math.max(...results.map((r) => r.peak_rss_mb)),
        rounds: results.length,
      };
    });
    const [{ depth, precision }] = ofCase;
    return { depth, precision, engines, ...ratios(ofCase) };
  });
}

/** Nothing where a side is missing. */
function ratios(ofCase) {
  const rounds = [...new Set(ofCase.map((r) => r.round))].flatMap((number) => {
    const ofRound = ofCase.filter((r) => r.round === number);
    const ours = ofRound.find((r) => r.name === OURS)?.result.images_per_sec_median;
    const rivals = ofRound.filter((r) => r.name !== OURS).map((r) => r.result.images_per_sec_median);
    return ours && rivals.length > 0 ? [ours / Math.max(...rivals)] : [];
  });
  if (rounds.length === 0) return {};
  return {
    ratio: round(median(rounds), 2),
    ratio_lowest: round(Math.min(...rounds), 2),
    ratio_highest: round(Math.max(...rounds), 2),
  };
}

/** A table in Markdown, images per second (and the most memory held), ratios in the last column. */
export function asTable({ machine, rounds, batch_size, cases, quoted }) {
  const names = [...new Set(cases.flatMap((c) => c.engines.map((e) => e.name)))];
  const cell = (c, name) => {
    const found = c.engines.find((e) => e.name === name);
    return found ? `${found.images_per_sec_median} (${found.peak_rss_mb} MB)` : '-';
  };
  const rows = cases.map((c) => [
    `ResNet-${c.depth} ${c.precision}`,
    ...names.map((name) => cell(c, name)),
    c.ratio === undefined ? '-' : `${c.ratio} (${c.ratio_lowest}-${c.ratio_highest})`,
  ]);
  const head = ['img/s (peak memory)', ...names, 'trainer / best rival'];
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return [
    `${machine}; batch ${batch_size}; medians of ${rounds} rounds, lowest and highest ratio of a round in brackets`,
    '',
    ...lines,
    '',
    ...(quoted ? [`tf.layers on the package's own binary was not run here; measured elsewhere: ${quoted}.`, ''] : []),
  ].join('\n');
}
