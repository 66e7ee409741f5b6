import { expect, it } from "vitest";
import { decodeSelection, encodeSelection } from "./selection";

it("survives the URL", () => {
  const s = { fromMs: 1_790_000_000_000, toMs: 1_790_000_060_000, minNs: 1_500_000, maxNs: 2_000_000_000 };
  expect(decodeSelection(encodeSelection(s))).toEqual(s);
});

it.each([undefined, "", "1_2_3", "5_1_0_9", "1_2_9_9", "a_b_c_d", "1_2_3_4_5"])("%s is no rectangle", (t) => expect(decodeSelection(t)).toBeNull());
