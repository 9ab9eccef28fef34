// The two sides in the order they are shown. Written out: the protocol's list would bring its schemas along.
import type { Side } from '@trainer/protocol';

export const SIDE_NAMES = ['resnet', 'plain'] as const satisfies readonly Side[];
