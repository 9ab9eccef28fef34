// What must hold of a run that has ended, whatever went wrong in it.
import type { MetricRecord } from '@trainer/protocol';
import { Plan } from '../../worker/plan.js';
import type { Simulation } from '../simulate.js';
import { checksum, type RunOnDisk } from './disk.js';
import type { Given } from './operator.js';
import type { Course } from './scenario.js';
import { type Undisturbed, undisturbed } from './undisturbed.js';

/** A control that was answered. */
interface Effect {
  readonly given: Given;
  readonly step: number;
}

export async function checkRun(simulation: Simulation, course: Course): Promise<void> {
  const { check, trace } = simulation;
  checkRestarts(simulation, course);
  const effects = await answers(simulation, course);
  for (const { given, step } of effects) trace.add(`${given.control.control} took effect after step ${step}`);
  const [run, ...others] = course.disk.runs.values();
  check(others.length === 0, 'there is one run');
  if (!run) return;
  const finished = course.end.type === 'done' ? course.end.finished[0] : undefined;
  const steps = finished ? finished.summary.steps : Math.max(0, ...run.metrics.map(({ step }) => step));
  // What was in effect when the last coordinator failed is known to nobody.
  const reference = await undisturbed(run.config, course.setting.ranks, factorsOf(effects, steps));
  checkMetrics(simulation, run, steps);
  if (!finished) return;
  check(finished.status !== 'diverged', 'no run diverges');
  const whole = new Plan(22, run.config).steps;
  check(
    finished.status === 'interrupted' ? steps <= whole : steps === whole,
    `a run that is ${finished.status} has ${steps} steps`,
  );
  checkOrder(simulation, effects, steps);
  checkNumbers(simulation, run, reference);
  check(
    run.saves.some(({ checkpoint }) => checkpoint.state.step === steps),
    `the last step, ${steps}, is saved`,
  );
  for (const { path, checkpoint } of run.saves)
    check(checksum(checkpoint) === reference.checksums[checkpoint.state.step], `${path} holds the weights of an undisturbed run`);
  checkCheckpoints(simulation, course, { effects, steps });
}

/** No restart without a reason, and no more than are allowed. */
function checkRestarts({ check }: Simulation, { setting, processes, end, warnings, disk }: Course): void {
  const isFinished = [...disk.runs.values()].some(({ summary }) => summary?.status === 'finished');
  if (isFinished) check(end.type === 'done', 'a run that is finished is done');
  check(processes.length <= setting.maxRestarts + 1, `${processes.length - 1} restarts, ${setting.maxRestarts} are allowed`);
  if (end.type === 'used up' && !end.message.includes('while it was to stop'))
    check(processes.length === setting.maxRestarts + 1, 'all restarts are used up');
  check(warnings.filter((line) => line.includes('begins anew')).length === processes.length - 1, 'each restart is told of once');
  for (const process of processes.slice(0, -1))
    check(process.hadTrouble, 'no coordinator is followed by another without a reason');
}

/** Each control was answered each time it was asked for, with the same step. */
async function answers({ check }: Simulation, { operator }: Course): Promise<Effect[]> {
  const effects: Effect[] = [];
  for (const given of operator.given) {
    const unanswered = {};
    for (const reply of given.replies) {
      const answer = await Promise.race([reply, soon(unanswered)]);
      check(answer !== unanswered, `${given.control.control} is answered`);
      const { step } = answer as { readonly step: number };
      if (effects.at(-1)?.given !== given) effects.push({ given, step });
      check(effects.at(-1)!.step === step, `${given.control.control} takes effect at one step`);
    }
  }
  return effects;
}

/** None overtakes one that was asked for before, but stops, which end what was still to be repeated. */
function checkOrder({ check }: Simulation, effects: readonly Effect[], steps: number): void {
  let newest = 0;
  for (const { given, step } of effects.filter(({ given }) => given.control.action !== 'stop')) {
    check(Math.min(step, steps) >= newest, `${given.control.control} does not overtake what was asked for before`);
    newest = Math.min(step, steps);
  }
}

/** After what is settled already. */
const soon = async <T>(value: T): Promise<T> => {
  for (let i = 0; i < 10; i++) await undefined;
  return value;
};

/** Of the learning rate, for each of so many steps. */
function factorsOf(effects: readonly Effect[], steps: number): number[] {
  const rates = effects.filter(({ given }) => given.control.action === 'lr');
  const ordered = rates.map((effect, i) => ({ ...effect, i })).sort((a, b) => a.step - b.step || a.i - b.i);
  return Array.from({ length: steps }, (_, at) => ordered.filter(({ step }) => step <= at).at(-1)?.given.control.factor ?? 1);
}

const keyOf = ({ step, model, name }: MetricRecord): string => `${step} ${model} ${name}`;

/** Each step's metrics once, none of steps that there are not. */
function checkMetrics({ check }: Simulation, { metrics, config }: RunOnDisk, steps: number): void {
  const keys = new Set<string>();
  for (const record of metrics) {
    const key = keyOf(record);
    check(!keys.has(key), `${key} is recorded once`);
    keys.add(key);
  }
  check(
    metrics.every(({ step }) => step <= steps),
    'nothing is recorded of steps that were not done',
  );
  for (let step = 1; step <= steps; step++)
    for (const side of config.model)
      check(keys.has(`${step} ${side} train/loss`), `the loss of step ${step} of ${side} is recorded`);
}

function checkNumbers({ check }: Simulation, { metrics }: RunOnDisk, { losses, rates }: Undisturbed): void {
  for (const { step, model, name, value } of metrics) {
    if (name === 'lr') check(value === rates[step - 1], `step ${step} was done at ${rates[step - 1]}, not at ${value}`);
    if (name === 'train/loss' && model !== 'gap')
      check(
        value === losses[step - 1]![model],
        `the loss of step ${step} of ${model} is ${losses[step - 1]![model]}, not ${value}`,
      );
  }
}

/** A checkpoint that was asked for was made after the step that followed, or with the one that ended the run. */
function checkCheckpoints(
  { check }: Simulation,
  { disk }: Course,
  { effects, steps }: { effects: Effect[]; steps: number },
): void {
  for (const { given, step } of effects)
    if (given.control.action === 'checkpoint' && step < steps)
      check(disk.wholeSteps.has(step + 1) || disk.wholeSteps.has(step), `the checkpoint asked for after step ${step} is made`);
}
