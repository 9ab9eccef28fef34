import { expect, test } from 'vitest';
import { parseValue, type Value, type ValueType } from './values.js';

const rate: ValueType = { kind: 'number', above: 0 };
const share: ValueType = { kind: 'number', from: 0, below: 1 };
const count: ValueType = { kind: 'integer', from: 1 };
const sides: ValueType = { kind: 'list', choices: ['resnet', 'plain'] };

test.each<[string, ValueType, string, Value]>([
  ['a decimal', rate, '0.1', 0.1],
  ['an exponent', rate, '5e-4', 5e-4],
  ['a bare fraction', rate, '.5', 0.5],
  ['a bound that belongs to the range', share, '0', 0],
  ['a whole number', count, '128', 128],
  ['a choice in another case', { kind: 'choice', choices: ['A', 'B'] }, 'b', 'B'],
  ["a list in the table's order", sides, 'plain, resnet', ['resnet', 'plain']],
  ['a list without repeats', { kind: 'list' }, 'a,b,,a', ['a', 'b']],
  ['an empty list where nothing is prescribed', { kind: 'list' }, '', []],
  ['a clock time', { kind: 'duration' }, '01:02:03', 3723],
  ['seconds', { kind: 'duration' }, '90.5', 90.5],
  ['seconds with their unit', { kind: 'duration' }, '10s', 10],
  ['a number of GPUs', { kind: 'gpus' }, '2', '2'],
  ['a list of GPUs, spaces and all', { kind: 'gpus' }, '0, 2', '0,2'],
  ['one GPU of several', { kind: 'gpus' }, '2,', '2,'],
  ['several counts, each once', { kind: 'counts' }, '1, 2,4,2', '1,2,4'],
  ['yes', { kind: 'boolean' }, 'Yes', true],
  ['0', { kind: 'boolean' }, '0', false],
])('%s is read', (_, type, text, value) => {
  expect(parseValue(type, text)).toEqual({ value });
});

test.each<[string, ValueType, string]>([
  ['a word for a number', rate, 'fast'],
  ['an empty number', rate, ''],
  ['infinity', rate, 'Infinity'],
  ['a number too large for a double', rate, '1e999'],
  ['a hexadecimal number', count, '0x10'],
  ['a fraction for a count', count, '1.5'],
  ['a count of 0', count, '0'],
  ['a whole number beyond exactness', count, '9007199254740993'],
  ['a bound that does not belong to the range', share, '1'],
  ['a rate of 0', rate, '0'],
  ['a negative rate', rate, '-0.1'],
  ['a clock time of two parts, which could be minutes or hours', { kind: 'duration' }, '12:00'],
  ['61 minutes in a clock time', { kind: 'duration' }, '00:61:00'],
  ['no time at all', { kind: 'duration' }, '00:00:00'],
  ['a name that is not in the list', sides, 'resnet,vgg'],
  ['an empty list where there are choices', sides, ','],
  ['a unit without a number', { kind: 'duration' }, 's'],
  ['a GPU named twice', { kind: 'gpus' }, '1,1'],
  ['a count of 0 among several', { kind: 'counts' }, '1,0'],
  ['no count between commas', { kind: 'counts' }, '1,,2'],
  ['maybe', { kind: 'boolean' }, 'maybe'],
  ['an empty text', { kind: 'text', what: 'a name' }, ''],
  ['none for what cannot be taken away', count, 'none'],
])('%s is refused', (_, type, text) => {
  expect(parseValue(type, text)).toHaveProperty('problem');
});

test('"none" takes a value away where that is possible', () => {
  expect(parseValue(count, 'none', true)).toEqual({ value: null });
});

test('a refusal says what would be right', () => {
  expect(parseValue(share, '2')).toEqual({ problem: 'must be a number of at least 0 and below 1' });
  expect(parseValue(sides, 'vgg')).toEqual({ problem: 'must be resnet or plain, or several divided by commas' });
  expect(parseValue(count, 'x', true)).toEqual({ problem: 'must be a whole number of at least 1, or none' });
});
