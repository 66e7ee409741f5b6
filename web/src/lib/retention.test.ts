import { expect, test } from "vitest";
import { retentionError } from "./retention";

test.each([["7", null], [" 30 ", null], ["", "Enter a number of days."], ["a week", "Enter a number of days."], ["1.5", "Whole days only."], ["0", "Between 1 and 400 days."], ["401", "Between 1 and 400 days."]])(
  "%j",
  (text, want) => expect(retentionError(text, 1, 400)).toBe(want),
);
