import { expect, test } from "vitest";
import { stack } from "./stack";

test("adds from the first up, a gap counts as nothing", () => expect(stack([[1, 2], [10, null], [100, 200]])).toEqual([[1, 2], [11, 2], [111, 202]]));
