// The commands: what each says of itself in help, and in what order.
import type { CommandName } from '../settings/options.js';

export interface CommandSpec {
  readonly summary: string;
  /** One positional argument, if it takes any. */
  readonly argument?: { readonly name: string; readonly choices: readonly string[] };
  readonly examples: readonly string[];
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const COMMANDS: Readonly<Record<CommandName, CommandSpec>> = {
  start: {
    summary: 'Train a residual network and its plain twin side by side',
    examples: [
      'trainer start                          what this machine can do in a sensible time',
      'trainer start --depth 56 --epochs 10   a deeper pair, where the gap is wider',
      'trainer start --resume last            go on where the last run stopped',
    ],
  },
  setup: { summary: "Install TensorFlow's library for this machine", examples: ['trainer setup --variant cpu'] },
  doctor: { summary: 'Check what training needs, and say how to mend what is missing', examples: ['trainer doctor --json'] },
  'bench step': {
    summary: 'Time training steps of the residual network',
    examples: ['trainer bench step --depth 20 --precision bf16 --steps 30 --json'],
  },
  'bench allreduce': {
    summary: 'Time the exchange of gradients between ranks',
    examples: ['trainer bench allreduce --ranks 4 --floats 272474 --wire bf16 --json'],
  },
  'bench scaling': {
    summary: 'Time training steps of several ranks, --batch-size images on each',
    examples: [
      'trainer bench scaling --ranks 1,2',
      'trainer bench scaling --ranks 1,2,4,8 --depth 18 --wire bf16 --device-ms 5   steps of devices that are not there',
    ],
  },
  completion: {
    summary: 'Print a script that completes commands and flags in your shell',
    argument: { name: 'shell', choices: SHELLS },
    examples: ['trainer completion bash > ~/.local/share/bash-completion/completions/trainer'],
  },
};

/** Groups of commands: a first word that means nothing alone. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = { bench: 'Measure speed' };

export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];
