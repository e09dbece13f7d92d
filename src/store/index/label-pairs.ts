import { roomIn } from './capacity.ts';
import { addToRun, runCount, runItems, runLists, runsBytes, swapOut, type Runs } from './runs.ts';
import { sortedValues, type SortedValues } from './sorted-values.ts';
import {
  addText,
  findText,
  NO_ID,
  releaseId,
  removeText,
  textTable,
  textTableBytes,
  type TextTable,
} from './text-table.ts';

/** All labels of all series: each pair of a name and a value has a dense id, and so has each name. */
export interface LabelPairs {
  readonly names: TextTable;
  /** Values, salted by the id of their name. */
  readonly values: TextTable;
  /** By name: the ids of its pairs, in no order. */
  readonly ofName: Runs;
  /** By pair: its place among those of its name. */
  places: Uint32Array;
  readonly sorted: SortedValues;
}

/** The salt of names. */
export const NAME = 0;

export function labelPairs(): LabelPairs {
  const values = textTable();
  return {
    names: textTable(),
    values,
    ofName: runLists(),
    places: new Uint32Array(0),
    sorted: sortedValues(values),
  };
}

/** The id of a label name, or `NO_ID` when no series has it. */
export function findName({ names }: LabelPairs, name: string): number {
  return findText(names, NAME, name);
}

/** The id of a pair, or `NO_ID`. */
export function findPair({ values }: LabelPairs, name: number, value: string): number {
  return findText(values, name, value);
}

export function addName({ names }: LabelPairs, name: string): number {
  return addText(names, NAME, name);
}

/** Adds a pair that is not there yet. */
export function addPair(pairs: LabelPairs, name: number, value: string): number {
  const { values, ofName, sorted } = pairs;
  const pair = addText(values, name, value);
  pairs.places = roomIn(pairs.places, pair + 1);
  pairs.places[pair] = runCount(ofName, name);
  addToRun(ofName, name, pair);
  sorted.add(name, pair);
  return pair;
}

/** Takes out a pair that no series has any more, and its name when that was the last pair of it. */
export function removePair(pairs: LabelPairs, pair: number): void {
  const { names, values, ofName, places, sorted } = pairs;
  const name = values.salts[pair]!;
  const moved = swapOut(ofName, name, places[pair]!);
  places[moved] = places[pair]!;
  removeText(values, pair);
  if (!sorted.remove(name, pair)) releaseId(values, pair);
  if (runCount(ofName, name) > 0) return;
  sorted.drop(name);
  removeText(names, name);
  releaseId(names, name);
}

export function nameOfPair({ values }: LabelPairs, pair: number): number {
  return values.salts[pair]!;
}

/** How many values a name has. */
export function valueCount({ ofName }: LabelPairs, name: number): number {
  return name === NO_ID ? 0 : runCount(ofName, name);
}

/** The ids of a name's pairs, in no order. Good until the next change. */
export function pairsOfName({ ofName }: LabelPairs, name: number): Uint32Array {
  return runItems(ofName, name);
}

export function labelPairsBytes({ names, values, ofName, places, sorted }: LabelPairs): number {
  return textTableBytes(names) + textTableBytes(values) + runsBytes(ofName) + places.byteLength + sorted.bytes;
}
