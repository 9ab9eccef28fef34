// Mistakes that a simulation of training can be made with, each at a seam of the code that is simulated: one that is not found is
// a hole in the simulation.

export const BUGS = {
  'replay dropped': 'a coordinator that is started anew is not told of the controls of the one before',
  'replay late': 'controls are done again one step after the step at which they took effect',
  'controls not idempotent': 'a control that arrives twice is two',
  'torn commit shown': 'a commit is there before all of it is written',
  'memory overwritten': 'the next snapshot is taken while the one before is still being written',
  'metrics not rewound': 'metrics of steps that are done again stay',
  'late records': 'records reach the files some time after they arrive, whoever has the run open by then',
  'old commit chosen': 'training goes on from the oldest save there is',
  'rank watchdog off': 'nobody notices that a rank is late',
  'silence watchdog off': 'nobody notices that a coordinator is stuck',
  'shares not weighted': 'ranks with fewer examples count as much as the others',
  'rate of one rank': 'a change of the learning rate passes one rank by',
  'restarts miscounted': 'one restart more than is allowed',
  'finish lost': 'a coordinator does not say that its run is over',
  'entries skipped': 'who catches up on what is told misses the first of it',
} as const;

export type Bug = keyof typeof BUGS;
