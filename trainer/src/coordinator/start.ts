// The coordinator's whole work: opens data and ranks, trains every seed that is left, tells how it went.
import type { Control, ControlReply, Start, ToCoordinator, ToSupervisor } from '@trainer/protocol';
import type { Channel } from '../link/channel.js';
import { answerRequests, type ReplyMessage, type RequestMessage } from '../link/requests.js';
import type { ResumableRun } from '../report/contract.js';
import type { Clock } from '../time.js';
import type { RankGroup, Teller } from './contract.js';
import { Controls } from './controls.js';
import { costOf } from './costs.js';
import { RunFiles } from './files.js';
import { chooseImages, type Prepared, prepare } from './prepare.js';
import { findRun } from './resume.js';
import { trainSeed } from './seed.js';
import type { Surroundings } from './surroundings.js';
import { channelTeller } from './teller.js';

/** What the user asked for. */
export type Asked = Pick<Start, 'config' | 'origins' | 'run' | 'commandLine'>;

export interface CoordinatorOptions {
  readonly start: Start;
  readonly channel: Channel<ToSupervisor, ToCoordinator>;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly surroundings: Surroundings;
}

/** Images of a GPU's share below which infra/decisions/0010-scaling.md predicts that the exchange is most of the step. */
const FEW_IMAGES = 512;

/** How often the supervisor hears that this process is not stuck. */
const ALIVE_EVERY_MS = 1000;

/** Resolves once all is done, or a stop took effect. @throws what training failed with */
export async function coordinate({ start, channel, clock, env, surroundings }: CoordinatorOptions): Promise<void> {
  const teller = channelTeller(channel);
  const controls = new Controls();
  const stop = new AbortController();
  answerControls(channel, (control) => {
    if (control.action === 'stop') stop.abort();
    return controls.request(control);
  });
  for (const control of start.replay) void controls.request(control);
  const quiet = keepTelling(channel, clock);
  try {
    const resumed = await findRun(start, teller, surroundings);
    const { signal } = stop;
    const prepared = await prepare({ asked: start, resumed: resumed?.config, teller, clock, env, signal, surroundings });
    try {
      if (!start.restart) describe(prepared, teller, resumed);
      if (start.run.dryRun) tellSizes(prepared, teller);
      else {
        const files = new RunFiles(channel, clock);
        await trainSeeds({ start, prepared, resumed, teller, controls, clock, files, surroundings });
      }
      await prepared.group.close();
    } finally {
      await prepared.close();
    }
  } catch (error) {
    // What is loading when a stop is asked for ends by throwing. Controls that wait while training fails are left for the next one.
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
  } finally {
    quiet();
  }
  controls.end();
}

/** The channel carries more than these requests. */
function answerControls(
  channel: Channel<ToSupervisor, ToCoordinator>,
  handle: (control: Control) => Promise<ControlReply>,
): void {
  answerRequests(channel as unknown as Channel<ReplyMessage<ControlReply>, RequestMessage<Control>>, handle);
}

function keepTelling(channel: Channel<ToSupervisor, ToCoordinator>, clock: Clock): () => void {
  let cancel = (): void => {};
  const tell = (): void => {
    channel.send({ type: 'alive' }).catch(() => undefined);
    cancel = clock.later(tell, ALIVE_EVERY_MS);
  };
  tell();
  return () => cancel();
}

function describe(
  { complete: { config }, dataset, models, devices, group }: Prepared,
  teller: Teller,
  resumed?: ResumableRun,
): void {
  const { library } = devices[0]!;
  teller.notice(
    `${library} on ${placesOf(devices.map(({ device }) => device))}, ${config.precision}; ${dataset.name} (${dataset.origin})`,
  );
  teller.models(models.map(costOf));
  if (config.zeroGamma) teller.notice('but zero-gamma: the last norm of each residual block starts at 0, in the plain net at 1');
  if (group.ranks > 1) teller.notice(sharesOf(config, group));
  if (group.ranks > 1 && devices[0]!.gpu && config.batchSize / group.ranks < FEW_IMAGES)
    teller.notice(
      `few images a GPU for an exchange through the host, which is predicted to take most of such a step: one GPU may be faster, or --batch-size ${FEW_IMAGES * group.ranks} with a larger --lr`,
    );
  const before = resumed?.checkpoint.state.ranks;
  if (before !== undefined && before !== group.ranks)
    teller.notice(
      `${ranksText(before)} before, ${ranksText(group.ranks)} now: the same images in the same order, results equal to rounding, not bit by bit`,
    );
}

const ranksText = (ranks: number): string => (ranks === 1 ? '1 rank' : `${ranks} ranks`);

/** 'NVIDIA H100', '4 x NVIDIA H100', 'AMD EPYC, 2 of 3 cores + AMD EPYC, 1 of 3 cores'. */
function placesOf(devices: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const device of devices) counts.set(device, (counts.get(device) ?? 0) + 1);
  return [...counts].map(([device, count]) => (count === 1 ? device : `${count} x ${device}`)).join(' + ');
}

function sharesOf({ batchSize, wire, norm, syncBn }: Prepared['complete']['config'], { ranks }: RankGroup): string {
  const [least, most] = [Math.floor(batchSize / ranks), Math.ceil(batchSize / ranks)];
  const share = least === most ? `${least}` : `${least} or ${most}`;
  const statistics = norm === 'none' ? '' : syncBn ? ', batch statistics over all ranks' : ", each rank's own batch statistics";
  return `${ranks} ranks: ${share} of each batch's ${batchSize} images a rank, gradients averaged in ${wire}${statistics}`;
}

/** `--dry-run`. */
function tellSizes({ complete: { config }, dataset, devices, group }: Prepared, teller: Teller): void {
  const { split } = chooseImages(config, dataset, group.ranks);
  const { library, device } = devices[0]!;
  teller.print(
    `${dataset.name}: ${split.train.length} images to train, ${split.validation.length} to validate, ${split.test.length} to test; ` +
      `${config.epochs} epochs at batch ${config.batchSize}, ${config.precision}, ${library} on ${device}\n`,
  );
}

interface SeedsContext {
  readonly start: Start;
  readonly prepared: Prepared;
  readonly resumed: ResumableRun | undefined;
  readonly teller: Teller;
  readonly controls: Controls;
  readonly clock: Clock;
  readonly files: RunFiles;
  readonly surroundings: Surroundings;
}

async function trainSeeds({ start, prepared, resumed, teller, controls, ...context }: SeedsContext): Promise<void> {
  const { seeds } = start.run;
  const { config } = prepared.complete;
  // A resumed run has its own seed; it is one of several only after a restart.
  const first = resumed ? config.seed - start.firstSeed : config.seed;
  for (let i = start.firstSeed; i < seeds && !controls.stopAsked; i++) {
    const seed = first + i;
    if (seeds > 1) teller.notice(`seed ${seed}: ${i + 1} of ${seeds}`);
    const own = i === start.firstSeed ? resumed : undefined;
    const finished = await trainSeed({
      asked: start,
      config: { ...config, seed },
      prepared,
      resumed: own,
      teller,
      controls,
      ...context,
    });
    if (finished.status !== 'finished') return;
  }
}
