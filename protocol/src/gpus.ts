// What `--gpus` says: how many GPUs, or which. Numbered as TensorFlow does, in the order in which CUDA_VISIBLE_DEVICES leaves them.

export type GpuRequest = 'all' | { readonly count: number } | { readonly indices: readonly number[] };

/**
 * `all`, a count (`2`), or a list, which has a comma (`0,2`; GPU 2 alone is `2,`). Undefined where the text is none of these,
 * or names a GPU twice: two ranks on one GPU would only wait for each other.
 */
export function parseGpus(text: string): GpuRequest | undefined {
  const words = text.toLowerCase().replaceAll(' ', '');
  if (words === 'all') return 'all';
  if (/^[1-9]\d{0,3}$/.test(words)) return { count: Number(words) };
  if (!/^\d{1,4}(,\d{1,4})*,?$/.test(words) || !words.includes(',')) return undefined;
  const indices = words.replace(/,$/, '').split(',').map(Number);
  return new Set(indices).size === indices.length ? { indices } : undefined;
}

/** The text that `parseGpus` reads back: for configurations, so that one request has one spelling. */
export function formatGpus(request: GpuRequest): string {
  if (request === 'all') return 'all';
  if ('count' in request) return String(request.count);
  return request.indices.length === 1 ? `${request.indices[0]},` : request.indices.join(',');
}
