import { expect, test } from 'vitest';
import { optionsMarkdown } from './options-markdown.js';

test('OPTIONS.md tells what the table of options says', async () => {
  await expect(optionsMarkdown()).toMatchFileSnapshot('OPTIONS.md');
});
