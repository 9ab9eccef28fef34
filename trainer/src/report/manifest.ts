// manifest.json of a checkpoint: the size and SHA-256 of every file in it. A checkpoint without one does not exist.
import { z } from 'zod';

const ManifestSchema = z.strictObject({
  version: z.literal(1),
  /** Completed steps, as in the folder's name. */
  step: z.int().nonnegative(),
  /** Whether validation accuracy was the best so far when it was saved. */
  best: z.boolean(),
  files: z.record(
    z.string().regex(/^[a-z][a-z.]*$/),
    z.strictObject({ bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});
export type Manifest = z.infer<typeof ManifestSchema>;

export const encodeManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, undefined, 2)}\n`;

/** Undefined where the text is not exactly a manifest. */
export function decodeManifest(text: string): Manifest | undefined {
  try {
    return ManifestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
