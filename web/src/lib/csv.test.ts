import { expect, test } from "vitest";
import { csv } from "./csv";

test("quotes what needs it, defuses formulas, leaves the missing empty", () => {
  expect(csv(["a", "b"], [["x,y", 1.5], ['say "hi"', null], ["=1+1", NaN], ["two\nlines", 0]])).toBe(
    'a,b\r\n"x,y",1.5\r\n"say ""hi""",\r\n\'=1+1,\r\n"two\nlines",0\r\n',
  );
});
